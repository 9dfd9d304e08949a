//! The forms in which a tool may write a value down without meaning to hide it.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use zeroize::Zeroizing;

use super::SHORTEST_BYTES;

/// A shorter form of another alphabet would be found by chance.
const SHORTEST_DERIVED_BYTES: usize = 7;

/// Of longer values only those forms are looked for that a tool prints by itself: each form costs memory.
const LONGEST_DERIVED_BYTES: usize = 8 << 10;

/// What `urllib.parse.quote` leaves as it is when nothing is safe.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What it leaves when nothing is said: a slash is safe.
const RESERVED_IN_PATHS: &AsciiSet = &RESERVED.remove(b'/');

/// A value in all of its forms, itself first.
pub fn of(secret: &str) -> Vec<Zeroizing<Vec<u8>>> {
    if secret.len() < SHORTEST_BYTES {
        return Vec::new();
    }
    let mut forms = vec![keep(secret), keep(&json(secret)), keep(&ascii(&json(secret))), keep(&python(secret))];
    if secret.len() <= LONGEST_DERIVED_BYTES {
        let derived =
            quoted(secret).into_iter().chain(hexadecimal(secret)).chain(reversed(secret)).chain(base64(secret));
        forms.extend(derived.filter(|form| form.len() >= SHORTEST_DERIVED_BYTES));
    }
    forms
}

fn keep(text: &str) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(text.as_bytes().to_vec())
}

/// As it stands within JSON.
fn json(secret: &str) -> Zeroizing<String> {
    let quoted = Zeroizing::new(serde_json::to_string(secret).unwrap_or_default());
    Zeroizing::new(quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default().to_owned())
}

/// The same in ASCII, as `json.dumps` writes it by default.
fn ascii(json: &str) -> Zeroizing<String> {
    let mut ascii = Zeroizing::new(String::new());
    for character in json.chars() {
        if character.is_ascii() {
            ascii.push(character);
        } else {
            let mut units = [0; 2];
            character.encode_utf16(&mut units).iter().for_each(|unit| ascii.push_str(&format!("\\u{unit:04x}")));
        }
    }
    ascii
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
    let all = Zeroizing::new(utf8_percent_encode(secret, RESERVED).to_string());
    let path = Zeroizing::new(utf8_percent_encode(secret, RESERVED_IN_PATHS).to_string());
    let form = Zeroizing::new(all.replace("%20", "+"));
    let forms = [all, path, form];
    let lower = forms.iter().map(|form| keep(&lower_digits(form)));
    let mut found: Vec<_> = lower.collect();
    found.extend(forms.iter().map(|form| keep(form)));
    found
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
