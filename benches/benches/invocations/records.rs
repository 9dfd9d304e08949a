//! A million invocations as a busy organization might have them, from a fixed seed.

use control_plane::model::{
    Invocation, InvocationId, InvocationSource, InvocationStatus, OrgId, ToolId, UserId, Version,
};
use jiff::{SignedDuration, Timestamp};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use serde_json::json;

const TOOLS: usize = 40;
const WORDS: usize = 20_000;
/// About four invocations in a conversation, and a thousand in a run.
const INVOCATIONS_PER_CONVERSATION: usize = 4;
const INVOCATIONS_PER_RUN: usize = 1_000;
const EXCEPTIONS: [&str; 6] =
    ["ValueError", "KeyError", "TimeoutError", "weather.NotFound", "booking.AlreadyBooked", "PermissionError"];

/// Makes records one after the other.
pub struct Records {
    org: OrgId,
    random: StdRng,
    tools: Vec<ToolId>,
    user: UserId,
    words: Vec<String>,
    made: usize,
    first_at: Timestamp,
}

impl Records {
    pub fn new(org: &OrgId) -> Self {
        let mut random = StdRng::seed_from_u64(7);
        let words = (0..WORDS).map(|_| word(&mut random)).collect();
        Self {
            org: org.clone(),
            random,
            tools: (0..TOOLS).map(|_| ToolId::new()).collect(),
            user: UserId::new(),
            words,
            made: 0,
            first_at: Timestamp::now() - SignedDuration::from_hours(24 * 90),
        }
    }

    pub fn batch(&mut self, size: usize) -> Vec<Invocation> {
        (0..size).map(|_| self.next()).collect()
    }

    fn next(&mut self) -> Invocation {
        self.made += 1;
        let random = &mut self.random;
        // A few tools and a few words make up most of it.
        let tool_id = self.tools[skewed(random, TOOLS)];
        let version = Version {
            major: random.random_range(1..3),
            minor: random.random_range(0..4),
            patch: random.random_range(0..3),
        };
        let invocation_source = if random.random_bool(0.2) {
            InvocationSource::SimulationConversation {
                simulation_unit_test_set_run_id: Some(format!("{:024x}", self.made / INVOCATIONS_PER_RUN)),
                unit_test_id: Some(format!("{:024x}", random.random_range(0..500))),
                run_index: Some(random.random_range(0..5)),
                invocation_metadata: None,
            }
        } else {
            InvocationSource::RegularConversation {
                user_id: self.user,
                conversation_id: Some(format!("{:024x}", self.made / INVOCATIONS_PER_CONVERSATION)),
                interaction_id: Some(format!("{:024x}", self.made)),
                invocation_metadata: None,
            }
        };
        let mut text = |count: usize| {
            let words: Vec<_> = (0..count).map(|_| self.words[skewed(random, WORDS)].as_str()).collect();
            words.join(" ")
        };
        let (note, question, message) = (text(24), text(8), text(6));
        let random = &mut self.random;
        let invocation_status = if random.random_bool(0.1) {
            InvocationStatus::Failed {
                exception_message: format!("{message}: booking {}", self.made),
                exception_type: (*EXCEPTIONS.choose(random).unwrap_or(&"Exception")).to_owned(),
                exception_stack_trace: vec![
                    format!("File \"src/booking.py\", line {}, in book", random.random_range(1..200)),
                    format!("File \"src/client.py\", line {}, in request", random.random_range(1..200)),
                ],
            }
        } else {
            let output =
                json!({"booking": format!("B{:07}", self.made), "note": note, "seats": random.random_range(1..9)});
            InvocationStatus::Succeeded { output: output.to_string() }
        };
        Invocation {
            id: InvocationId::new(),
            org_id: self.org.clone(),
            created_at: self.first_at
                + SignedDuration::from_micros(self.made as i64 * 7_000_000 + random.random_range(0..9_000_000)),
            invocation_status,
            invocation_source,
            duration_ms: random.random_range(800..90_000) as f64 / 1e3,
            tool_id,
            tool_version: version,
            inputs: json!({"question": question, "seats": random.random_range(1..9), "flexible": random.random_bool(0.5)}),
            logs: "INFO looked up\nINFO answered\n".to_owned(),
        }
    }

    pub fn tools(&self) -> &[ToolId] {
        &self.tools
    }

    /// A word that is more frequent the smaller its rank is.
    pub fn word(&self, rank: usize) -> &str {
        &self.words[rank]
    }
}

/// Mostly small numbers below `end`: the tenth part of the numbers makes up about half of what is drawn.
fn skewed(random: &mut StdRng, end: usize) -> usize {
    let uniform: f64 = random.random();
    ((uniform.powi(3) * end as f64) as usize).min(end - 1)
}

fn word(random: &mut StdRng) -> String {
    let syllables = [
        "ba", "ce", "di", "fo", "gu", "ha", "ke", "li", "mo", "nu", "pa", "re", "si", "to", "va", "wen", "zor", "tran",
        "shel", "quin",
    ];
    (0..random.random_range(2..5)).map(|_| *syllables.choose(random).unwrap_or(&"la")).collect()
}
