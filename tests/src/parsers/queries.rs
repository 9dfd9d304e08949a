//! What stands in URLs and bodies: query strings, searches, version constraints, JSON.

use std::cmp::Ordering;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use control_plane::api::fuzzing::{NumberedPage, Query, deeper_than};
use control_plane::domain::resolve::Constraint;
use control_plane::model::{
    Invocation, InvocationId, InvocationSource, InvocationStatus, OrgId, ToolId, UserId, Version,
};
use control_plane::search::{Search, SearchQuery};
use serde_json::Value;

/// How long a search in three records may take: a thousand times what it takes.
const SEARCH_TIME: Duration = Duration::from_secs(2);

/// A query string says the same to us as to the web, and what is taken of it is within its limits.
pub fn query(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    // No URL has them.
    if text.contains(|c: char| c.is_ascii_control() || c == ' ') {
        return;
    }
    let Ok(query) = Query::parse(text) else { return };
    assert!(!text.contains("%00"));
    if let Ok(page) = query.page(10, 100) {
        assert!((1..=100).contains(&page.limit) && i64::try_from(page.token).is_ok());
        assert_eq!(page.is_first(), page.token == 0);
    }
    if let Ok(page) = NumberedPage::of(&query) {
        assert!(page.limit >= 1 && page.skip() % page.limit == 0);
    }
    let field = |name: &str| ["created_at", "version"].iter().position(|known| *known == name);
    let given = query.many("sort_by").len();
    match query.sort(field) {
        Ok(sort) => assert_eq!(sort.len(), given),
        Err(_) => assert!(given > 0),
    }
    if let Ok(Some(_)) = query.flag("deprecated") {
        assert_eq!(query.many("deprecated").len(), 1);
    }
    for key in ["query", "tag", "ref"] {
        assert_eq!(query.one(key), query.many(key).last().copied());
        assert!(query.many(key).iter().all(|value| !value.contains('\0')));
    }
}

/// A search ends, soon, and finds nothing that is another organization's.
pub fn search(bytes: &[u8]) {
    static SEARCH: LazyLock<(tempfile::TempDir, Search, Vec<InvocationId>)> = LazyLock::new(|| {
        let folder = tempfile::tempdir().unwrap();
        let search = Search::open(folder.path(), 1000, |_, _| true).unwrap();
        let texts = ["sunny weather in Ghent tomorrow", "weather.NotFound: no such city", "日本 straße naïve"];
        let add = |org: &str| {
            let org = OrgId::parse(org).unwrap();
            let records: Vec<_> = texts.iter().map(|text| record(&org, text)).collect();
            search.advance(&org, 0, |_| Ok::<_, anyhow::Error>(records.clone())).unwrap();
            records.into_iter().map(|record| record.id).collect()
        };
        add("other");
        let own = add("acme");
        (folder, search, own)
    });
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(query) = SearchQuery::parse(text, &[]) else { return };
    let (_, search, own) = &*SEARCH;
    let begun = Instant::now();
    let found = search.find(&OrgId::parse("acme").unwrap(), &query).unwrap();
    assert!(begun.elapsed() < SEARCH_TIME, "it took {:?}", begun.elapsed());
    assert!(found.iter().all(|id| own.contains(id)));
}

fn record(org: &OrgId, text: &str) -> Invocation {
    Invocation {
        id: InvocationId::new(),
        org_id: org.clone(),
        created_at: jiff::Timestamp::UNIX_EPOCH,
        invocation_status: InvocationStatus::Succeeded { output: text.to_owned() },
        invocation_source: InvocationSource::RegularConversation {
            user_id: UserId::new(),
            conversation_id: None,
            interaction_id: None,
            invocation_metadata: None,
        },
        duration_ms: 1.0,
        tool_id: ToolId::new(),
        tool_version: Version::FIRST,
        inputs: Value::Null,
        logs: String::new(),
    }
}

/// A constraint that is a list of plain comparisons means what PEP 440 says; any other is taken or refused.
pub fn constraint(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let parsed = Constraint::parse(text, ["path"]);
    let versions = [0, 1, 2, 10].into_iter().flat_map(|major| [0, 1, 3].map(|minor| (major, minor)));
    let versions = versions.flat_map(|(major, minor)| [0, 1, 2].map(|patch| Version { major, minor, patch }));
    let clauses: Option<Vec<_>> = text.split(',').map(Clause::parse).collect();
    if let Some(clauses) = clauses {
        let constraint = parsed.unwrap_or_else(|_| panic!("{text:?} was refused"));
        for version in versions {
            let expected = clauses.iter().all(|clause| clause.holds(version));
            assert_eq!(constraint.matches(version), expected, "{text:?} {version}");
        }
    } else if let Ok(constraint) = parsed {
        for version in versions {
            let _any = constraint.matches(version);
        }
    }
}

/// A comparison of numbers alone, read and judged by our own code.
struct Clause {
    operator: &'static str,
    numbers: Vec<u64>,
    has_star: bool,
}

impl Clause {
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim_matches(' ');
        let operator =
            ["~=", "==", "!=", "<=", ">=", "<", ">"].into_iter().find(|operator| text.starts_with(operator))?;
        let numbers = text.strip_prefix(operator)?.trim_start_matches(' ');
        let (numbers, has_star) = numbers.strip_suffix(".*").map_or((numbers, false), |numbers| (numbers, true));
        let number = |part: &str| {
            let is_number = (1..=9).contains(&part.len()) && part.bytes().all(|c| c.is_ascii_digit());
            if is_number { part.parse().ok() } else { None }
        };
        let numbers: Vec<u64> = numbers.split('.').map(number).collect::<Option<_>>()?;
        let is_known = match operator {
            "~=" => numbers.len() >= 2 && !has_star,
            "==" | "!=" => true,
            _ => !has_star,
        };
        is_known.then_some(Self { operator, numbers, has_star })
    }

    fn holds(&self, version: Version) -> bool {
        let version = [version.major, version.minor, version.patch];
        let at = |numbers: &[u64], place: usize| numbers.get(place).copied().unwrap_or_default();
        let compare = |length: usize| {
            let pairs = (0..length).map(|place| at(&version, place).cmp(&at(&self.numbers, place)));
            pairs.fold(Ordering::Equal, Ordering::then)
        };
        let all = self.numbers.len().max(version.len());
        let equals = || compare(if self.has_star { self.numbers.len() } else { all }) == Ordering::Equal;
        match self.operator {
            "~=" => compare(all) != Ordering::Less && compare(self.numbers.len() - 1) == Ordering::Equal,
            "==" => equals(),
            "!=" => !equals(),
            "<=" => compare(all) != Ordering::Greater,
            ">=" => compare(all) != Ordering::Less,
            "<" => compare(all) == Ordering::Less,
            _ => compare(all) == Ordering::Greater,
        }
    }
}

/// How deep a body is, is known before it is read.
pub fn json(bytes: &[u8]) {
    let Ok(value) = serde_json::from_slice::<Value>(bytes) else {
        deeper_than(bytes, 4);
        return;
    };
    let depth = depth(&value);
    if depth > 0 {
        let place = deeper_than(bytes, depth - 1).expect("it is deeper");
        assert!(matches!(bytes[place], b'[' | b'{'));
    }
    // A key that stands twice has its first value replaced, and that may have been deeper.
    let is_plain = bytes.iter().filter(|byte| **byte == b'{').count() == 0;
    assert!(!is_plain || deeper_than(bytes, depth).is_none());
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(values) => 1 + values.iter().map(depth).max().unwrap_or_default(),
        Value::Object(values) => 1 + values.values().map(depth).max().unwrap_or_default(),
        _ => 0,
    }
}
