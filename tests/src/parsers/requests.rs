//! HTTP/1.1 requests as a server that takes no two meanings reads them (RFC 9112).

/// A request that is whole. A byte above ASCII is the character of its number: a value may have any (section 5.5).
pub struct Request {
    /// `GET`.
    pub method: String,
    /// Names and values, in order.
    pub headers: Vec<(String, String)>,
    /// How many bytes it takes.
    pub length: usize,
}

/// The first request, or None where it is not whole. The error is what a server could understand in two ways.
pub fn first(bytes: &[u8]) -> Result<Option<Request>, String> {
    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Ok(None);
    };
    let head: String = bytes[..end].iter().map(|byte| char::from(*byte)).collect();
    let mut lines = head.split("\r\n");
    let line = lines.next().unwrap_or_default();
    let [method, target, "HTTP/1.1"] = line.split(' ').collect::<Vec<_>>()[..] else {
        return Err(format!("its first line is {line:?}"));
    };
    let is_visible = |c: char| ('!'..='~').contains(&c) || !c.is_ascii();
    if !is_token(method) || !(target.starts_with('/') || target == "*") || !target.chars().all(is_visible) {
        return Err(format!("its first line is {line:?}"));
    }
    let mut headers = Vec::new();
    for line in lines {
        let (name, value) = line.split_once(':').ok_or_else(|| format!("{line:?} is no header"))?;
        if !is_token(name) || value.contains(|c: char| c.is_ascii_control() && c != '\t') {
            return Err(format!("{line:?} is no header"));
        }
        headers.push((name.to_owned(), value.trim_matches([' ', '\t']).to_owned()));
    }
    let body = &bytes[end + 4..];
    let values = |name: &str| -> Vec<&str> {
        let own = headers.iter().filter(|(own, _)| own.eq_ignore_ascii_case(name));
        own.map(|(_, value)| value.as_str()).collect()
    };
    let length = match (&values("content-length")[..], &values("transfer-encoding")[..]) {
        ([], []) => Some(0),
        ([length], []) if !length.is_empty() && length.bytes().all(|c| c.is_ascii_digit()) => {
            let length: usize = length.parse().map_err(|_| "its length is too large".to_owned())?;
            (length <= body.len()).then_some(length)
        }
        ([], [encoding]) if encoding.eq_ignore_ascii_case("chunked") => chunked(body)?,
        lengths => return Err(format!("it has two lengths, or none that is one: {lengths:?}")),
    };
    Ok(length.map(|length| Request { method: method.to_owned(), headers, length: end + 4 + length }))
}

fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|c| c.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&c))
}

/// How long a chunked body is, or None where it is not whole.
fn chunked(body: &[u8]) -> Result<Option<usize>, String> {
    let mut place = 0;
    loop {
        let Some(end) = body[place..].windows(2).position(|window| window == b"\r\n") else { return Ok(None) };
        let size = std::str::from_utf8(&body[place..place + end]).unwrap_or_default();
        let is_size = !size.is_empty() && size.bytes().all(|c| c.is_ascii_hexdigit());
        let size =
            usize::from_str_radix(size, 16).ok().filter(|_| is_size).ok_or_else(|| format!("{size:?} is no size"))?;
        place += end + 2;
        let Some(after) = place.checked_add(size).and_then(|after| body.get(after..after + 2)) else { return Ok(None) };
        if after != b"\r\n" {
            return Err("a chunk is followed by something else".to_owned());
        }
        place += size + 2;
        if size == 0 {
            return Ok(Some(place));
        }
    }
}
