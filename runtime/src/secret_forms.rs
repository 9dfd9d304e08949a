//! The forms in which a value may be written down by somebody who does not mean to hide it: a tool in what it says, a
//! server in what it answers. What looks for a secret looks for all of them.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

/// A shorter value would be found by chance in ordinary text, and taking it out would tell where it stands.
pub const SHORTEST_BYTES: usize = 4;

/// A shorter form of another alphabet would be found by chance.
const SHORTEST_DERIVED_BYTES: usize = 7;

/// Of longer values only those forms are looked for that a tool prints by itself: each form costs memory.
const LONGEST_DERIVED_BYTES: usize = 8 << 10;

/// What `urllib.parse.quote` leaves as it is beside letters and digits when nothing is safe (RFC 3986, section 2.3).
const UNRESERVED: &str = "-._~";

/// What it leaves when nothing is said: a slash is safe.
const UNRESERVED_AND_SLASH: &str = "-._~/";

/// A value in all of its forms, itself first. None of a value that is too short.
pub fn of(secret: &str) -> Vec<Zeroizing<Vec<u8>>> {
    if secret.len() < SHORTEST_BYTES {
        return Vec::new();
    }
    let mut forms = vec![keep(secret)];
    forms.extend(json(secret));
    forms.push(keep(&python(secret)));
    if secret.len() <= LONGEST_DERIVED_BYTES {
        let derived = quoted(secret).into_iter().chain(html(secret)).chain(hexadecimal(secret));
        let derived = derived.chain(reversed(secret)).chain(base64(secret));
        forms.extend(derived.filter(|form| form.len() >= SHORTEST_DERIVED_BYTES));
    }
    let mut distinct: Vec<Zeroizing<Vec<u8>>> = Vec::with_capacity(forms.len());
    for form in forms {
        if !distinct.contains(&form) {
            distinct.push(form);
        }
    }
    distinct
}

/// A value in a path or a query, where no character of it means anything else.
pub(crate) fn escaped(secret: &str) -> Zeroizing<String> {
    percent(secret, UNRESERVED)
}

fn keep(text: &str) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(text.as_bytes().to_vec())
}

/// As it stands within JSON: with other characters than ASCII as they are or escaped in either case, as `json.dumps` and
/// others write it; with `\/`, as PHP does; and with the characters escaped that mean something in HTML, as Go does.
fn json(secret: &str) -> Vec<Zeroizing<Vec<u8>>> {
    let quoted = Zeroizing::new(serde_json::to_string(secret).unwrap_or_default());
    let plain = Zeroizing::new(quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default().to_owned());
    let is_html = |c: char| matches!(c, '<' | '>' | '&' | '\'' | '+');
    let escaped = |is_escaped: &dyn Fn(char) -> bool, is_upper: bool| {
        let mut text = Zeroizing::new(String::new());
        for character in plain.chars() {
            let mut units = [0; 2];
            match is_escaped(character) {
                false => text.push(character),
                true if is_upper => {
                    character.encode_utf16(&mut units).iter().for_each(|unit| text.push_str(&format!("\\u{unit:04X}")));
                }
                true => {
                    character.encode_utf16(&mut units).iter().for_each(|unit| text.push_str(&format!("\\u{unit:04x}")));
                }
            }
        }
        text
    };
    let mut forms = vec![plain.clone()];
    for is_upper in [false, true] {
        forms.push(escaped(&|c| !c.is_ascii(), is_upper));
        // .NET escapes both and a plus and an apostrophe, Go the three of HTML.
        forms.push(escaped(&|c| matches!(c, '<' | '>' | '&'), is_upper));
        forms.push(escaped(&|c| is_html(c) || !c.is_ascii(), is_upper));
    }
    let slashed: Vec<_> = forms.iter().map(|form| Zeroizing::new(form.replace('/', "\\/"))).collect();
    forms.iter().chain(&slashed).map(|form| keep(form)).collect()
}

/// As `repr` shows it between apostrophes.
fn python(secret: &str) -> Zeroizing<String> {
    let mut shown = Zeroizing::new(String::new());
    for character in secret.chars() {
        match character {
            '\\' => shown.push_str("\\\\"),
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            other => shown.push(other),
        }
    }
    shown
}

/// In a URL: with slashes as they are or not, with a plus for a space or not, and with digits of either case.
fn quoted(secret: &str) -> Vec<Zeroizing<Vec<u8>>> {
    let all = percent(secret, UNRESERVED);
    let form = Zeroizing::new(all.replace("%20", "+"));
    let forms = [all, percent(secret, UNRESERVED_AND_SLASH), form];
    let lower = forms.iter().map(|form| keep(&lower_digits(form)));
    let mut found: Vec<_> = lower.collect();
    found.extend(forms.iter().map(|form| keep(form)));
    found
}

fn percent(secret: &str, safe: &str) -> Zeroizing<String> {
    let mut quoted = Zeroizing::new(String::with_capacity(secret.len() * 3));
    for byte in secret.bytes() {
        match char::from(byte) {
            plain if plain.is_ascii_alphanumeric() || safe.contains(plain) && plain.is_ascii() => quoted.push(plain),
            _ => quoted.push_str(&format!("%{byte:02X}")),
        }
    }
    quoted
}

/// The same with `%2f` in the place of `%2F`.
fn lower_digits(quoted: &str) -> Zeroizing<String> {
    let mut lower = Zeroizing::new(String::with_capacity(quoted.len()));
    let mut digits = 0;
    for character in quoted.chars() {
        lower.push(if digits > 0 { character.to_ascii_lowercase() } else { character });
        digits = if character == '%' { 2_usize } else { digits.saturating_sub(1) };
    }
    lower
}

/// In HTML or XML: with the quotation marks as they are, or named or numbered as `html.escape` and others do.
fn html(secret: &str) -> Vec<Zeroizing<Vec<u8>>> {
    let marks = [("\"", "'"), ("&quot;", "&#x27;"), ("&quot;", "&#39;"), ("&#34;", "&#39;"), ("&quot;", "&apos;")];
    let escape = |(double, single): (&str, &str)| {
        let mut text = Zeroizing::new(String::with_capacity(secret.len()));
        for character in secret.chars() {
            match character {
                '&' => text.push_str("&amp;"),
                '<' => text.push_str("&lt;"),
                '>' => text.push_str("&gt;"),
                '"' => text.push_str(double),
                '\'' => text.push_str(single),
                other => text.push(other),
            }
        }
        keep(&text)
    };
    marks.into_iter().map(escape).collect()
}

fn hexadecimal(secret: &str) -> [Zeroizing<Vec<u8>>; 2] {
    [hex::encode(secret), hex::encode_upper(secret)].map(|text| Zeroizing::new(text.into_bytes()))
}

fn reversed(secret: &str) -> [Zeroizing<Vec<u8>>; 1] {
    [Zeroizing::new(secret.chars().rev().collect::<String>().into_bytes())]
}

/// The part of the value's base64 that is the same whatever stands before and behind it: before it may stand any number of
/// bytes, which shifts it by none, one or two of them.
fn base64(secret: &str) -> Vec<Zeroizing<Vec<u8>>> {
    let mut found = Vec::new();
    for shift in 0..3 {
        let mut bytes = Zeroizing::new(vec![0; shift]);
        bytes.extend_from_slice(secret.as_bytes());
        // A character holds six bits; those that it shares with a neighbour are left out.
        let own = (shift * 8).div_ceil(6)..bytes.len() * 8 / 6;
        for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
            let encoded = Zeroizing::new(engine.encode(&*bytes));
            found.push(keep(encoded.get(own.clone()).unwrap_or_default()));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_has_the_forms_that_programs_write() {
        let forms = of("Tom's <k>/7731&\"é\"+1");
        for text in [
            "Tom's <k>/7731&\"é\"+1",
            // json.dumps, with and without ensure_ascii; PHP; Go; .NET
            r#"Tom's <k>/7731&\"\u00e9\"+1"#,
            r#"Tom's <k>/7731&\"é\"+1"#,
            r#"Tom's <k>\/7731&\"\u00e9\"+1"#,
            r#"Tom's \u003ck\u003e/7731\u0026\"é\"+1"#,
            r#"Tom\u0027s \u003Ck\u003E/7731\u0026\"\u00E9\"\u002B1"#,
            // quote, quote with nothing safe, quote_plus, and lower case
            "Tom%27s%20%3Ck%3E/7731%26%22%C3%A9%22%2B1",
            "Tom%27s%20%3Ck%3E%2F7731%26%22%C3%A9%22%2B1",
            "Tom%27s+%3Ck%3E%2F7731%26%22%C3%A9%22%2B1",
            "Tom%27s+%3ck%3e%2f7731%26%22%c3%a9%22%2b1",
            // html.escape, and without quotation marks
            "Tom&#x27;s &lt;k&gt;/7731&amp;&quot;é&quot;+1",
            "Tom's &lt;k&gt;/7731&amp;\"é\"+1",
            "Tom&#39;s &lt;k&gt;/7731&amp;&#34;é&#34;+1",
            // hex(), upper case, and reversed
            "546f6d2773203c6b3e2f373733312622c3a9222b31",
            "546F6D2773203C6B3E2F373733312622C3A9222B31",
            "1+\"é\"&1377/>k< s'moT",
        ] {
            assert!(forms.iter().any(|form| form.as_slice() == text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn a_plain_value_has_no_form_twice_and_a_short_one_few() {
        let forms = of("hunter2-hunter2");
        assert!(forms.iter().enumerate().all(|(place, form)| !forms[..place].contains(form)));
        assert!(of("abc").is_empty());
        assert_eq!(of("four").len(), 3, "itself, and in hexadecimal of either case");
    }
}
