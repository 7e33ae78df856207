//! URLs that let anybody who knows them post as the workflow.

use super::value::{after, is_placeholder, is_secret_value, looks_random, run};

/// Prefix of the URL, index of the secret segment after it, and its minimum length.
const HOOKS: &[(&str, usize, usize, &str)] = &[
    ("hooks.slack.com/services/", 2, 20, "a Slack webhook address"),
    ("hooks.slack.com/workflows/", 3, 16, "a Slack webhook address"),
    ("hooks.slack.com/triggers/", 2, 20, "a Slack webhook address"),
    ("discord.com/api/webhooks/", 1, 40, "a Discord webhook address"),
    ("discordapp.com/api/webhooks/", 1, 40, "a Discord webhook address"),
    (".webhook.office.com/webhookb2/", 2, 20, "a Teams webhook address"),
    ("outlook.office.com/webhook/", 2, 20, "a Teams webhook address"),
    ("outlook.office365.com/webhook/", 2, 20, "a Teams webhook address"),
    ("webexapis.com/v1/webhooks/incoming/", 0, 40, "a Webex webhook address"),
    ("open.feishu.cn/open-apis/bot/v2/hook/", 0, 30, "a Lark webhook address"),
    ("open.larksuite.com/open-apis/bot/v2/hook/", 0, 30, "a Lark webhook address"),
    ("inbots.zoom.us/incoming/hook/", 0, 16, "a Zoom webhook address"),
];

/// Word that every address but Telegram's contains: most texts do not, and are not searched for each address.
const WORD: &str = "hook";

pub(super) fn hook(text: &str) -> Option<&'static str> {
    let addressed = || chat(text).or_else(|| versioned_discord(text)).or_else(|| self_hosted(text));
    text.contains(WORD).then(addressed).flatten().or_else(|| telegram(text))
}

fn chat(text: &str) -> Option<&'static str> {
    let hook = HOOKS.iter().find(|(start, place, least, _)| {
        let secret = after(text, start).and_then(|rest| rest.split('/').nth(*place)).map(run).unwrap_or_default();
        secret.len() >= *least && looks_random(secret) && !is_placeholder(secret)
    });
    hook.map(|(.., what)| *what)
}

/// Matches Discord's URLs that name the version of its API.
fn versioned_discord(text: &str) -> Option<&'static str> {
    let rest = after(text, "discord.com/api/v")?;
    let mut parts = rest.split('/');
    let version = parts.next()?.bytes().all(|byte| byte.is_ascii_digit());
    let secret = parts.next().filter(|part| *part == "webhooks").and_then(|_| parts.nth(1)).map(run)?;
    (version && secret.len() >= 40 && looks_random(secret) && !is_placeholder(secret)).then_some("a Discord webhook address")
}

/// Matches Mattermost (26 lower-case letters and digits) and Rocket.Chat (17 letters and digits, then 43 or more), on any host.
fn self_hosted(text: &str) -> Option<&'static str> {
    let (before, rest) = text.split_once("/hooks/")?;
    if !before.contains("://") {
        return None;
    }
    let letters = |part: &str| part.bytes().take_while(u8::is_ascii_alphanumeric).count();
    let first = &rest[..letters(rest)];
    let random = |text: &str| looks_random(text) && !is_placeholder(text);
    if first.len() == 26
        && random(first)
        && !first.bytes().any(|byte| byte.is_ascii_uppercase())
        && !rest[26..].starts_with(['/', '-', '_'])
    {
        return Some("a Mattermost webhook address");
    }
    let second = rest.strip_prefix(first)?.strip_prefix('/')?;
    let second = &second[..letters(second)];
    ((17..=24).contains(&first.len()) && second.len() >= 40 && random(second)).then_some("a Rocket.Chat webhook address")
}

fn telegram(text: &str) -> Option<&'static str> {
    let rest = after(text, "api.telegram.org/bot")?;
    let (id, secret) = rest.split_once(':')?;
    let is_token = id.len() >= 8 && id.bytes().all(|byte| byte.is_ascii_digit()) && run(secret).len() >= 30 && is_secret_value(run(secret));
    is_token.then_some("a Telegram bot token")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Generates the secret part, so that the source holds no literal one.
    fn made(length: usize) -> String {
        (0..length).map(|at| char::from_digit(u32::try_from(at * 7919 % 36).unwrap(), 36).unwrap()).collect()
    }

    #[test]
    fn every_address_contains_the_word_that_is_searched_for_first() {
        assert!(HOOKS.iter().all(|(start, ..)| start.contains(WORD)));
    }

    #[test]
    fn webhook_urls_of_chat_services_are_recognised_and_placeholders_are_not() {
        let id = "1497549923779084388";
        for address in [
            format!("https://discord.com/api/webhooks/{id}/{}", made(68)),
            format!("https://discordapp.com/api/webhooks/{id}/{}?wait=true", made(68)),
            format!("https://ptb.discord.com/api/v10/webhooks/{id}/{}", made(68)),
            format!("https://acme.webhook.office.com/webhookb2/a@b/IncomingWebhook/{}/c", made(32)),
            format!("https://hooks.slack.com/services/T0/B0/{}", made(24)),
            format!("https://hooks.slack.com/triggers/T0/12/{}", made(32)),
            format!("https://chat.acme.test/hooks/{}", made(26)),
            format!("https://rocket.acme.test/hooks/{}/{}", made(17), made(44)),
            format!("https://open.feishu.cn/open-apis/bot/v2/hook/{}", made(36)),
            format!("https://webexapis.com/v1/webhooks/incoming/{}", made(76)),
        ] {
            assert!(hook(&address).is_some(), "{address}");
        }
        for address in [
            format!("https://discord.com/api/webhooks/{id}/YOUR_WEBHOOK_TOKEN_HERE_1234567890_1234567890"),
            "https://discord.com/api/webhooks/{{ $json.id }}/{{ $json.token }}".to_owned(),
            format!("https://discord.com/api/channels/{id}/messages"),
            "https://discord.com/developers/docs/resources/webhook".to_owned(),
            "https://acme.webhook.office.com/webhookb2/".to_owned(),
            "https://chat.acme.test/hooks/incoming-orders-from-the-shop".to_owned(),
            "https://api.github.com/repos/acme/shop/hooks/123456789/deliveries".to_owned(),
            "https://a.test/hooks/abcdefghijklmnopqrstuvwxyz".to_owned(),
        ] {
            assert_eq!(hook(&address), None, "{address}");
        }
    }
}
