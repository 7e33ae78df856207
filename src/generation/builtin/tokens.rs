//! Words, numbers, addresses and quotations of a prompt.

mod numbers;

pub(super) use super::token::{Kind, Token, fold};
use numbers::{json, number};

/// Splits a text into tokens, in a time that grows with its length.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let letters: Vec<char> = text.chars().collect();
    let mut scan = Scan { letters: &letters, at: 0, found: Vec::new(), joint: None };
    while scan.at < letters.len() {
        scan.step();
    }
    let mut found = scan.found;
    mark_names(&mut found);
    found
}

/// Marks the words with a capital letter that begin no sentence.
fn mark_names(tokens: &mut [Token]) {
    let mut begins = true;
    for token in tokens {
        token.name = !begins && token.text.starts_with(char::is_uppercase);
        begins = matches!(token.kind, Kind::Stop | Kind::Colon);
    }
}

struct Scan<'t> {
    letters: &'t [char],
    at: usize,
    found: Vec<Token>,
    /// The sign behind the word before, if the next one is joined to it.
    joint: Option<char>,
}

impl Scan<'_> {
    fn step(&mut self) {
        let (letter, joint, before) = (self.letters[self.at], self.joint.take(), self.found.len());
        self.read(letter);
        if let Some(token) = self.found.get_mut(before) {
            token.joint = joint;
        }
    }

    fn read(&mut self, letter: char) {
        if letter.is_whitespace() {
            self.blank();
        } else if let Some(close) = closing(letter).filter(|_| self.opens_quotation()) {
            self.quotation(close);
        } else if let Some(length) = matches!(letter, '{' | '[').then(|| json(&self.letters[self.at..])).flatten() {
            let text: String = self.letters[self.at..self.at + length].iter().collect();
            self.push(Kind::Json, &text);
            self.at += length;
        } else if let Some((number, length)) = self.phone() {
            self.push(Kind::Phone, &number);
            self.at += length;
        } else if let Some(length) = self.arrow() {
            self.push(Kind::Colon, "->");
            self.at += length;
        } else if letter.is_alphanumeric()
            || self.is_negative()
            || (matches!(letter, '#' | '@') && self.peek(1).is_some_and(char::is_alphanumeric))
        {
            self.word();
        } else {
            let kind = match letter {
                '.' | '!' | '?' | ';' => Kind::Stop,
                ',' | '(' | ')' | '–' | '—' => Kind::Comma,
                '-' if self.peek(1).is_none_or(char::is_whitespace) => Kind::Comma,
                ':' => Kind::Colon,
                _ => Kind::Sign,
            };
            self.push(kind, &letter.to_string());
            self.at += 1;
        }
    }

    /// Returns a telephone number such as `+49 170 1234567`, and the length that it has in the text.
    fn phone(&self) -> Option<(String, usize)> {
        let rest = self.letters.get(self.at..self.letters.len().min(self.at + 24))?;
        rest.split_first().filter(|(sign, rest)| **sign == '+' && rest.first().is_some_and(char::is_ascii_digit))?;
        let end =
            rest[1..].iter().position(|c| !(c.is_ascii_digit() || matches!(c, ' ' | '-' | '(' | ')'))).map_or(rest.len(), |end| end + 1);
        let length = rest[..end].iter().rposition(char::is_ascii_digit)? + 1;
        let digits: String = rest[..length].iter().filter(|c| c.is_ascii_digit()).collect();
        (8..=15).contains(&digits.len()).then(|| (format!("+{digits}"), length))
    }

    /// Reports whether a number below zero begins here, rather than the second half of `9-17`.
    fn is_negative(&self) -> bool {
        let before = self.at.checked_sub(1).is_none_or(|at| self.letters[at].is_whitespace());
        before && self.peek(0) == Some('-') && self.peek(1).is_some_and(|next| next.is_ascii_digit())
    }

    /// Returns the length of an arrow: `->`, `=>`, `-->`, `→`.
    fn arrow(&self) -> Option<usize> {
        const ARROWS: &[&str] = &["-->", "==>", "->", "=>", "→", "⇒"];
        let fits = |arrow: &&&str| arrow.chars().enumerate().all(|(by, sign)| self.peek(by) == Some(sign));
        ARROWS.iter().find(fits).map(|arrow| arrow.chars().count())
    }

    fn peek(&self, by: usize) -> Option<char> {
        self.letters.get(self.at + by).copied()
    }

    fn push(&mut self, kind: Kind, text: &str) {
        self.found.push(Token::new(kind, text));
    }

    /// Skips blanks; an empty line, or a line that begins a list, ends a sentence.
    fn blank(&mut self) {
        let start = self.at;
        while self.peek(0).is_some_and(char::is_whitespace) {
            self.at += 1;
        }
        if self.letters[start..self.at].contains(&'\n') && self.found.last().is_some_and(|last| last.kind != Kind::Stop) {
            let listed = self.peek(0).is_some_and(|c| matches!(c, '-' | '*' | '•') || c.is_ascii_digit());
            if listed || self.letters[start..self.at].iter().filter(|c| **c == '\n').count() > 1 {
                self.push(Kind::Stop, "\n");
            }
        }
    }

    fn opens_quotation(&self) -> bool {
        let before = self.at.checked_sub(1).map(|at| self.letters[at]);
        before.is_none_or(|before| !before.is_alphanumeric())
            && self.peek(1).is_some_and(|next| !next.is_whitespace() || self.letters[self.at] == '«')
    }

    /// Reads a quotation of at most a few hundred letters on one line; a mark without its other half is a sign.
    fn quotation(&mut self, close: char) {
        let rest = &self.letters[self.at + 1..];
        let end = rest.iter().take(400).take_while(|c| **c != '\n').position(|c| *c == close);
        match end.filter(|end| *end > 0 && rest.get(end + 1).is_none_or(|next| !next.is_alphanumeric())) {
            Some(end) => {
                let text: String = rest[..end].iter().collect();
                self.push(Kind::Quoted, text.trim());
                self.at += end + 2;
            }
            None => {
                self.push(Kind::Sign, "\"");
                self.at += 1;
            }
        }
    }

    fn word(&mut self) {
        let rest = &self.letters[self.at..];
        let whole = rest.iter().position(|c| c.is_whitespace() || closing(*c).is_some() && *c != '\'').unwrap_or(rest.len());
        let chunk: String = rest[..whole].iter().collect();
        if let Some(url) = url(&chunk) {
            self.push(Kind::Url, url);
            self.at += url.chars().count();
            return;
        }
        let trimmed = chunk.trim_end_matches(|c: char| !c.is_alphanumeric());
        if is_mail(trimmed) {
            self.push(Kind::Mail, trimmed);
            self.at += trimmed.chars().count();
            return;
        }
        if let Some((token, length)) = host(trimmed).or_else(|| number(trimmed)) {
            self.found.push(token);
            self.at += length;
            return;
        }
        let channel = chunk.starts_with(['#', '@']);
        let inner = |c: char| c.is_alphanumeric() || c == '_' || channel && matches!(c, '-' | '.' | '#' | '@');
        let mut length = chunk.chars().take_while(|c| inner(*c)).count();
        // `don't`, `Hunter's` and `l'heure` are distinguished by what follows the apostrophe.
        if let Some(mark) = chunk.chars().nth(length).filter(|c| matches!(c, '\'' | '’')) {
            let tail: String = chunk.chars().skip(length + 1).take_while(|c| c.is_alphanumeric()).collect();
            let head: String = chunk.chars().take(length).collect();
            if !tail.is_empty() && (tail.len() <= 2 && length > 1 || mark == '’' && length > 2) {
                let whole = length + 1 + tail.chars().count();
                let text: String = chunk.chars().take(whole).collect();
                let mut token = Token::new(Kind::Word, &text);
                token.word = if matches!(tail.as_str(), "s" | "S") { fold(&head) } else { fold(&head) + &fold(&tail) };
                self.found.push(token);
                self.at += whole;
                return;
            }
        }
        length = length.max(1);
        let text: String = chunk.chars().take(length).collect();
        self.at += length;
        match text.strip_prefix(['#', '@']).map(|_| text.trim_end_matches(['.', '-'])) {
            Some(channel) => self.push(Kind::Channel, channel),
            None => self.joined(&text),
        }
        if matches!(self.peek(0), Some('-' | '\'' | '’' | '/')) && self.peek(1).is_some_and(char::is_alphanumeric) {
            self.joint = self.peek(0);
            self.at += 1;
        }
    }

    /// Adds a word; `e-mail` is one.
    fn joined(&mut self, text: &str) {
        let after_e = self.found.last().is_some_and(|last| last.word == "e" && last.kind == Kind::Word);
        if after_e && self.at > text.chars().count() && fold(text).starts_with("mail") {
            self.found.pop();
            let mut token = Token::new(Kind::Word, text);
            token.word = format!("e{}", fold(text));
            self.found.push(token);
            return;
        }
        self.push(Kind::Word, text);
    }
}

fn closing(open: char) -> Option<char> {
    match open {
        '"' | '\'' | '`' => Some(open),
        '“' | '„' => Some(if open == '„' { '“' } else { '”' }),
        '‘' => Some('’'),
        '«' => Some('»'),
        '‚' => Some('‘'),
        _ => None,
    }
}

fn url(chunk: &str) -> Option<&str> {
    let scheme = chunk.find("://").filter(|at| *at > 0 && chunk[..*at].bytes().all(|byte| byte.is_ascii_alphanumeric()))?;
    let url = chunk.trim_end_matches(['.', ',', ';', ':', '!', '?', ')', ']', '}', '>']);
    (url.len() > scheme + 3).then_some(url)
}

fn is_mail(chunk: &str) -> bool {
    let Some((user, host)) = chunk.split_once('@') else { return false };
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '+');
    !user.is_empty() && host.contains('.') && !host.starts_with('.') && user.chars().all(plain) && host.chars().all(plain)
}

/// Reads `upload-post.com`, and product names that have the form of a host, such as `Sentry.io`.
fn host(chunk: &str) -> Option<(Token, usize)> {
    let chunk = chunk.strip_suffix("'s").or_else(|| chunk.strip_suffix("’s")).unwrap_or(chunk);
    let (body, last) = chunk.rsplit_once('.')?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    let named = body.len() > 1 && body.chars().all(plain) && body.starts_with(|c: char| c.is_ascii_alphabetic());
    let ending = (2..=5).contains(&last.len()) && last.bytes().all(|byte| byte.is_ascii_lowercase());
    (named && ending).then(|| (Token::new(Kind::Host, chunk), chunk.chars().count()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> String {
        let show = |token: Token| match token.kind {
            Kind::Word => token.word,
            Kind::Number(value) => format!("n{value}"),
            Kind::Time(at) => format!("t{at}"),
            other => format!("{other:?}:{}", token.text),
        };
        tokens(text).into_iter().map(show).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn words_numbers_times_and_addresses_are_distinguished() {
        for (text, wanted) in [
            ("Don't use Hunter's e-mail", "dont use hunter email"),
            ("à l'heure", "a l heure"),
            ("POST to https://a.example/x?y=1.", "post to Url:https://a.example/x?y=1 Stop:."),
            ("#sales-eu, @ops", "Channel:#sales-eu Comma:, Channel:@ops"),
            ("at 9:30 or 9am or 18h30", "at t570 or t540 or t1110"),
            ("1,000.50 € and 2.000 and 3,5", "n1000.5 Sign:€ and n2000 and n3.5"),
            ("'content ideas' sheet", "Quoted:content ideas sheet"),
            ("Sentry.io and a-b.com", "Host:Sentry.io and Host:a-b.com"),
            ("mail jo@ex.org now", "mail Mail:jo@ex.org now"),
            ("für Größe „hallo“", "fur grosse Quoted:hallo"),
            (r#"answer {"ok": true, "at": {"n": 1}} at 25:00"#, r#"answer Json:{"ok": true, "at": {"n": 1}} at NoTime:25:00"#),
            ("over 10k, above -12, from 9 -17 [now]", "over n10000 Comma:, above n-12 Comma:, from n9 n-17 Sign:[ now Sign:]"),
        ] {
            assert_eq!(said(text), wanted, "{text}");
        }
    }

    #[test]
    fn names_are_capitalised_words_inside_a_sentence() {
        let names: Vec<String> = tokens("Line up. Use Line").into_iter().filter(|token| token.name).map(|token| token.text).collect();
        assert_eq!(names, ["Line"]);
    }
}
