//! Prompts for which nothing is built, whatever they describe: secrets in plain text, requests against the operator of n8n, things that no
//! workflow can do.

use super::reading::Item;
use super::tokens::Kind;
use super::words::is_among;
use crate::generation::hostile;
use crate::validator::content::secret::holds_secret;
use crate::validator::content::secret_kind;

/// Why nothing is built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It would harm somebody.
    Hostile(String),
    /// The prompt holds a secret.
    Secret(String),
    /// No workflow can do it.
    Impossible(String),
}

const SECRETS: &str = "credential credentials secret secrets password passwords token tokens zugangsdaten passworter passwort geheimnisse kennworter \
    identifiants motsdepasse credenciales contrasenas contrasena secretos keys apikeys decrypted environment env";
const COLLECT: &str = "collect collects dump exfiltrate steal harvest leak export exports reveal print list send sends post posts forward email mail show read sammle \
    sende schicke lies exportiere envoie envoyer exporte collecte recopila envia enviar exporta roba muestra copy upload return returns gather give";
const HIDE: &str = "notices notice suspicious unnoticed hide hidden disguise disguised secretly stealthily covertly merkt bemerkt unbemerkt heimlich verstecke \
    discretement remarque secreto escondido oculta nobody undetected";
const METADATA: &[&str] = &[
    "169.254.169.254",
    "metadata.google.internal",
    "100.100.100.200",
    "fd00:ec2::254",
    "instance-data",
    "169.254.170.2",
    "kubernetes.default",
];
/// Things without an interface that n8n could reach.
const THINGS: &str = "dishwasher toaster oven kettle microwave fridge washing lawnmower vacuum bicycle spulmaschine geschirrspuler toaster waschmaschine kuhlschrank \
    lavevaisselle lavavajillas frigo coffee kaffeemaschine cafetiere cafetera doorbell lamp light heater";
const NO_WAY: &[&[&str]] = &[
    &["no", "network"],
    &["without", "network"],
    &["no", "internet"],
    &["not", "connected"],
    &["power", "cable"],
    &["no", "interface"],
    &["offline", "device"],
    &["kein", "netz"],
    &["ohne", "netz"],
    &["pas", "reseau"],
    &["sin", "red"],
    &["time", "travel"],
    &["read", "thoughts"],
    &["read", "minds"],
    &["teleport"],
    &["yesterday", "before"],
    &["ohne", "netzwerk"],
    &["sans", "reseau"],
];
const NEVER: &str = "teleport telepathy telepathically clairvoyance mindread timetravel";

/// Reports why a prompt is not built.
pub(super) fn check(text: &str, items: &[Item]) -> Option<Refusal> {
    if let Some(what) = secret_kind(text).or_else(|| holds_secret(text).then_some("a key or a password")) {
        return Some(Refusal::Secret(what.to_owned()));
    }
    if let Some(why) = hostile::refusal(text) {
        return Some(Refusal::Hostile(why.to_owned()));
    }
    let lower = text.to_lowercase();
    if let Some(host) = METADATA.iter().find(|host| lower.contains(**host)) {
        return Some(Refusal::Hostile(format!("it calls {host}, an address that gives out credentials of the machine")));
    }
    let has = |list: &str| items.iter().any(|item| item.kind == Kind::Word && is_among(list, &item.word));
    let word = |words: &[&str]| items.iter().any(|item| words.contains(&item.word.as_str()));
    if names_stored_secrets(items) && has(COLLECT) && !is_backup(items) {
        return Some(Refusal::Hostile("it would send stored credentials or environment variables out of n8n".to_owned()));
    }
    let hides = has(HIDE)
        && (word(&[
            "nobody",
            "noone",
            "niemand",
            "personne",
            "nadie",
            "secretly",
            "heimlich",
            "disguise",
            "disguised",
            "unnoticed",
            "undetected",
            "unbemerkt",
        ]) || word(&["so"]) && word(&["name", "call", "label", "nenne"]));
    if hides && has("notices notice suspicious unnoticed disguise disguised secretly heimlich merkt bemerkt unbemerkt undetected remarque")
    {
        return Some(Refusal::Hostile("it is to hide its purpose".to_owned()));
    }
    let pairs = NO_WAY.iter().any(|pair| {
        let mut from = 0;
        pair.iter().all(|word| {
            let found = items[from..].iter().take(if from == 0 { usize::MAX } else { 3 }).position(|item| item.word == *word);
            found.inspect(|at| from += at + 1).is_some()
        })
    });
    if has(NEVER)
        || pairs && has(THINGS)
        || pairs && word(&["device", "machine", "firmware", "hardware", "gerat", "thoughts", "minds", "travel"])
    {
        return Some(Refusal::Impossible("n8n reaches only what has an interface on a network".to_owned()));
    }
    None
}

/// Reports whether the secrets that n8n or its machine holds are named, rather than those of somebody's own form.
fn names_stored_secrets(items: &[Item]) -> bool {
    let word = |words: &[&str]| items.iter().position(|item| words.contains(&item.word.as_str()));
    let secrets = items.iter().position(|item| item.kind == Kind::Word && is_among(SECRETS, &item.word));
    let Some(_) = secrets else { return false };
    let environment = word(&["environment", "env", "umgebungsvariablen", "variables", "environnement", "entorno"]).is_some()
        && word(&["variables", "variable", "vars", "env", "environment", "entorno", "environnement"]).is_some();
    let stored = word(&[
        "stored",
        "saved",
        "all",
        "every",
        "decrypted",
        "gespeicherten",
        "gespeicherte",
        "alle",
        "instance",
        "plaintext",
        "stockes",
        "tous",
        "guardadas",
        "todas",
        "todos",
        "n8n",
        "other",
        "users",
    ])
    .is_some();
    let credentials = word(&[
        "credential",
        "credentials",
        "secrets",
        "secret",
        "passwords",
        "passworter",
        "zugangsdaten",
        "identifiants",
        "credenciales",
        "contrasenas",
        "tokens",
    ])
    .is_some();
    environment || credentials && stored
}

/// Reports whether workflows and credentials of n8n are saved in the encrypted form that its own export has.
fn is_backup(items: &[Item]) -> bool {
    let word = |words: &[&str]| items.iter().any(|item| words.contains(&item.word.as_str()));
    word(&["back", "backup", "backups", "sichere", "sauvegarde"]) && !word(&["decrypted", "plaintext", "plain", "environment", "variables"])
}
