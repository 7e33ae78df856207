//! Search for node types by name and operation.

use super::Catalog;
use super::pack::NodeEntry;

/// A node type that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// Full name, with its package.
    pub name: String,
    /// Display name.
    pub display_name: String,
    /// Operations and aliases that matched.
    pub matched: Vec<String>,
    /// Score; higher is better.
    pub score: u32,
}

/// Returns the node types that match all words, the best first.
pub fn search(catalog: &Catalog, words: &[String], limit: usize) -> Vec<Hit> {
    let words: Vec<String> = words.iter().flat_map(|text| text.split_whitespace()).map(fold).filter(|word| !word.is_empty()).collect();
    let mut hits: Vec<Hit> = catalog.index().nodes.iter().filter_map(|entry| hit(entry, &words)).collect();
    hits.sort_by(|a, b| b.score.cmp(&a.score).then_with(|| a.name.len().cmp(&b.name.len())).then_with(|| a.name.cmp(&b.name)));
    hits.truncate(limit);
    hits
}

fn hit(entry: &NodeEntry, words: &[String]) -> Option<Hit> {
    let short = fold(entry.name.rsplit_once('.').map_or(&entry.name, |(_, short)| short));
    let shown = fold(&entry.display_name);
    let mut matched: Vec<String> = Vec::new();
    let mut score = 0;
    for word in words {
        let of_name = [(&short, 2), (&shown, 0)].into_iter().map(|(name, bonus)| likeness(name, word, 100 + bonus)).max().unwrap_or(0);
        let mut of_word = of_name;
        for (names, most) in [(&entry.aliases, 60), (&entry.words, 40)] {
            for name in names {
                let like = likeness(&fold(name), word, most);
                if like > 0 && !matched.contains(name) {
                    matched.push(name.clone());
                }
                of_word = of_word.max(like);
            }
        }
        if of_word == 0 {
            return None;
        }
        score += of_word;
    }
    // The words together may be the whole name: "google sheets".
    if !words.is_empty() && shown == words.concat() {
        score += 100;
    }
    if entry.hidden {
        score /= 4;
    }
    Some(Hit { name: entry.name.clone(), display_name: entry.display_name.clone(), matched, score })
}

/// Scores a match of the whole name, its beginning, or a part.
fn likeness(name: &str, word: &str, most: u32) -> u32 {
    if name == word {
        most
    } else if name.starts_with(word) {
        most / 2
    } else if word.len() > 2 && name.contains(word) {
        most / 4
    } else {
        0
    }
}

fn fold(text: &str) -> String {
    text.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}
