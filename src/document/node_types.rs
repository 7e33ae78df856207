//! Facts about node types that are needed without a catalogue.
//!
//! Source: `dist/types/nodes.json` of n8n-nodes-base and @n8n/n8n-nodes-langchain as shipped with n8n 2.39.10. The catalogue of an instance
//! is more accurate; these lists serve decisions that are made without one.

const BASE: &str = "n8n-nodes-base.";
const LANGCHAIN: &str = "@n8n/n8n-nodes-langchain.";

/// Node type of notes on the canvas, which never run.
pub const STICKY_NOTE: &str = "n8n-nodes-base.stickyNote";

/// Triggers of n8n-nodes-base that let a service call `/webhook/<webhookId>/<suffix>`: name, methods, suffix.
const SERVICE_TRIGGERS: &[(&str, &[&str], &str)] = &[
    ("activeCampaignTrigger", POST, WEBHOOK),
    ("acuitySchedulingTrigger", POST, WEBHOOK),
    ("affinityTrigger", POST, WEBHOOK),
    ("asanaTrigger", POST, WEBHOOK),
    ("autopilotTrigger", POST, WEBHOOK),
    ("awsSnsTrigger", POST, WEBHOOK),
    ("bitbucketTrigger", POST, WEBHOOK),
    ("boxTrigger", POST, WEBHOOK),
    ("calTrigger", POST, WEBHOOK),
    ("calendlyTrigger", POST, WEBHOOK),
    ("chargebeeTrigger", POST, WEBHOOK),
    ("ciscoWebexTrigger", POST, WEBHOOK),
    ("clickUpTrigger", POST, WEBHOOK),
    ("convertKitTrigger", POST, WEBHOOK),
    ("copperTrigger", POST, WEBHOOK),
    ("currentsTrigger", POST, WEBHOOK),
    ("customerIoTrigger", POST, WEBHOOK),
    ("emeliaTrigger", POST, WEBHOOK),
    ("eventbriteTrigger", POST, WEBHOOK),
    ("facebookLeadAdsTrigger", GET_POST, WEBHOOK),
    ("facebookTrigger", GET_POST, WEBHOOK),
    ("figmaTrigger", POST, WEBHOOK),
    ("flowTrigger", POST, WEBHOOK),
    ("formIoTrigger", POST, WEBHOOK),
    ("formstackTrigger", POST, WEBHOOK),
    ("getResponseTrigger", GET, WEBHOOK),
    ("githubTrigger", POST, WEBHOOK),
    ("gitlabTrigger", POST, WEBHOOK),
    ("gumroadTrigger", POST, WEBHOOK),
    ("helpScoutTrigger", POST, WEBHOOK),
    ("hubspotTrigger", GET_POST, WEBHOOK),
    ("invoiceNinjaTrigger", POST, WEBHOOK),
    ("jiraTrigger", POST, WEBHOOK),
    ("jotFormTrigger", POST, WEBHOOK),
    ("keapTrigger", POST, WEBHOOK),
    ("koBoToolboxTrigger", POST, WEBHOOK),
    ("lemlistTrigger", POST, WEBHOOK),
    ("linearTrigger", POST, WEBHOOK),
    ("loneScaleTrigger", POST, WEBHOOK),
    ("mailchimpTrigger", GET_POST, WEBHOOK),
    ("mailerLiteTrigger", POST, WEBHOOK),
    ("mailjetTrigger", POST, WEBHOOK),
    ("mauticTrigger", POST, WEBHOOK),
    ("microsoftTeamsTrigger", POST, WEBHOOK),
    ("netlifyTrigger", POST, WEBHOOK),
    ("onfleetTrigger", GET_POST, WEBHOOK),
    ("payPalTrigger", POST, WEBHOOK),
    ("pipedriveTrigger", POST, WEBHOOK),
    ("postmarkTrigger", POST, WEBHOOK),
    ("pushcutTrigger", POST, WEBHOOK),
    ("sendInBlueTrigger", POST, "webhooks"),
    ("shopifyTrigger", POST, WEBHOOK),
    ("slackTrigger", POST, WEBHOOK),
    ("stravaTrigger", GET_POST, WEBHOOK),
    ("stripeTrigger", POST, WEBHOOK),
    ("surveyMonkeyTrigger", HEAD_POST, WEBHOOK),
    ("taigaTrigger", POST, WEBHOOK),
    ("telegramTrigger", POST, WEBHOOK),
    ("theHiveProjectTrigger", POST, WEBHOOK),
    ("theHiveTrigger", POST, WEBHOOK),
    ("trelloTrigger", HEAD_POST, WEBHOOK),
    ("twilioTrigger", POST, WEBHOOK),
    ("typeformTrigger", POST, WEBHOOK),
    ("venafiTlsProtectCloudTrigger", POST, WEBHOOK),
    ("webflowTrigger", POST, WEBHOOK),
    ("whatsAppTrigger", GET_POST, WEBHOOK),
    ("wiseTrigger", POST, WEBHOOK),
    ("wooCommerceTrigger", POST, WEBHOOK),
    ("workableTrigger", POST, WEBHOOK),
    ("wufooTrigger", POST, WEBHOOK),
    ("zendeskTrigger", POST, WEBHOOK),
];

const WEBHOOK: &str = "webhook";
const GET: &[&str] = &["GET"];
const POST: &[&str] = &["POST"];
const GET_POST: &[&str] = &["GET", "POST"];
const HEAD_POST: &[&str] = &["HEAD", "POST"];

/// Nodes of n8n-nodes-base that have webhooks and are not service triggers: nodes that serve a path chosen by the author, and nodes that
/// wait for a person's response.
const BASE_WITH_WEBHOOKS: &[&str] = &[
    "discord",
    "emailSend",
    "form",
    "formTrigger",
    "github",
    "gmail",
    "googleChat",
    "microsoftOutlook",
    "microsoftTeams",
    "slack",
    "telegram",
    "wait",
    "webhook",
    "whatsApp",
];

const LANGCHAIN_WITH_WEBHOOKS: &[&str] = &["chat", "chatTrigger", "mcpTrigger", "microsoftAgent365Trigger"];

/// Reports whether n8n gives a node of this type a `webhookId`.
///
/// n8n does so for every type whose description lists webhooks, and for their derived `…Tool` variants. For types of other packages only
/// the name is known: their triggers are given an id, which does no harm if it is not used, while leaving it to n8n would move the URL with
/// every save.
pub fn has_webhooks(kind: &str) -> bool {
    if let Some(name) = kind.strip_prefix(BASE) {
        let name = name.strip_suffix("HitlTool").or_else(|| name.strip_suffix("Tool")).unwrap_or(name);
        BASE_WITH_WEBHOOKS.contains(&name) || SERVICE_TRIGGERS.iter().any(|(known, ..)| *known == name)
    } else if let Some(name) = kind.strip_prefix(LANGCHAIN) {
        let name = name.strip_suffix("HitlTool").or_else(|| name.strip_suffix("Tool")).unwrap_or(name);
        LANGCHAIN_WITH_WEBHOOKS.contains(&name)
    } else {
        kind.ends_with("Trigger")
    }
}

/// Returns the methods and the path suffix of a trigger that a service calls.
pub(crate) fn service_trigger(kind: &str) -> Option<(&'static [&'static str], &'static str)> {
    match kind.strip_prefix(LANGCHAIN) {
        Some("microsoftAgent365Trigger") => return Some((HEAD_POST, WEBHOOK)),
        Some(_) => return None,
        None => {}
    }
    let name = kind.strip_prefix(BASE).filter(|name| name.ends_with("Trigger"))?;
    SERVICE_TRIGGERS.iter().find(|(known, ..)| *known == name).map(|(_, methods, suffix)| (*methods, *suffix))
}

/// Trigger types whose name does not end in `Trigger`.
const OTHER_TRIGGERS: &[&str] = &["cron", "emailReadImap", "interval", "start", "webhook"];

/// Reports whether nodes of this type start an execution, manually included.
pub fn is_trigger(kind: &str) -> bool {
    kind.ends_with("Trigger") || kind.strip_prefix(BASE).is_some_and(|name| OTHER_TRIGGERS.contains(&name))
}

/// Reports whether nodes of this type only start an execution manually in the editor. n8n does not count them when it publishes.
pub fn is_manual_trigger(kind: &str) -> bool {
    matches!(kind, "n8n-nodes-base.manualTrigger" | "n8n-nodes-base.start" | "@n8n/n8n-nodes-langchain.manualChatTrigger")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_with_webhooks_get_a_webhook_id_and_so_do_their_tool_variants() {
        for kind in [
            "n8n-nodes-base.webhook",
            "n8n-nodes-base.wait",
            "n8n-nodes-base.telegramTrigger",
            "n8n-nodes-base.gmailTool",
            "n8n-nodes-base.slackHitlTool",
            "@n8n/n8n-nodes-langchain.chatTrigger",
            "@acme/n8n-nodes-x.somethingTrigger",
        ] {
            assert!(has_webhooks(kind), "{kind}");
        }
        for kind in ["n8n-nodes-base.set", "n8n-nodes-base.scheduleTrigger", "n8n-nodes-base.respondToWebhook", ""] {
            assert!(!has_webhooks(kind), "{kind}");
        }
    }
}
