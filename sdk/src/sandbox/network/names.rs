//! The addresses that stand for names within one instance.

use std::net::{IpAddr, Ipv4Addr};

use super::TargetHost;

/// 198.18.0.0/15 is set aside for tests of networks (RFC 2544) and is routed nowhere.
const FIRST: u32 = u32::from_be_bytes([198, 18, 0, 1]);

/// More names than this is no tool's business.
const MOST: usize = 4096;

/// Lookups that an instance has open at once. Each may keep a thread of the host waiting for an answer.
const MOST_OPEN_LOOKUPS: usize = 16;

/// Lookups of one instance. An HTTP library makes one for each connection.
const MOST_LOOKUPS: usize = 4096;

/// What an instance has asked for.
#[derive(Debug, Default)]
pub struct Names {
    /// In the order of their addresses.
    names: Vec<String>,
    /// Whether it has asked for the network, whose handle its C library keeps.
    pub asked: bool,
    /// How many sockets it has open.
    pub sockets: usize,
    /// How many lookups it has open, and how many it has begun.
    lookups: [usize; 2],
}

impl Names {
    /// Counts a lookup that is about to begin. False when there are too many.
    pub fn begin_lookup(&mut self) -> bool {
        let [open, begun] = &mut self.lookups;
        if *open >= MOST_OPEN_LOOKUPS || *begun >= MOST_LOOKUPS {
            return false;
        }
        *open += 1;
        *begun += 1;
        true
    }

    /// Counts the end of a lookup.
    pub fn end_lookup(&mut self) {
        self.lookups[0] = self.lookups[0].saturating_sub(1);
    }

    /// The address of a name; none when there are too many.
    pub fn address(&mut self, name: &str) -> Option<IpAddr> {
        let index = match self.names.iter().position(|known| known == name) {
            Some(index) => index,
            None if self.names.len() < MOST => {
                self.names.push(name.to_owned());
                self.names.len() - 1
            }
            None => return None,
        };
        Some(IpAddr::V4(Ipv4Addr::from_bits(FIRST + u32::try_from(index).ok()?)))
    }

    /// What an address stands for.
    pub fn host(&self, address: IpAddr) -> TargetHost {
        let name = match address {
            IpAddr::V4(address) => {
                address.to_bits().checked_sub(FIRST).and_then(|index| self.names.get(index as usize))
            }
            IpAddr::V6(_) => None,
        };
        name.map_or(TargetHost::Address(address), |name| TargetHost::Name(name.clone()))
    }
}

/// A name as it is compared: in lower case, without the dot that makes it absolute.
pub fn normalized(name: &str) -> String {
    let name = name.strip_suffix('.').unwrap_or(name);
    name.to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_stands_for_the_name_that_got_it() {
        let mut names = Names::default();
        let first = names.address("a.test").unwrap();
        let second = names.address("b.test").unwrap();
        assert_ne!(first, second);
        assert_eq!(names.address("a.test"), Some(first));
        assert_eq!(names.host(second), TargetHost::Name("b.test".to_owned()));
        let other: IpAddr = "10.0.0.1".parse().unwrap();
        assert_eq!(names.host(other), TargetHost::Address(other));
    }

    #[test]
    fn there_is_an_end_to_names() {
        let mut names = Names::default();
        for index in 0..MOST {
            assert!(names.address(&format!("{index}.test")).is_some());
        }
        assert_eq!(names.address("one.more.test"), None);
        assert!(names.address("0.test").is_some());
    }

    #[test]
    fn there_is_an_end_to_lookups() {
        let mut names = Names::default();
        let open = (0..100).filter(|_| names.begin_lookup()).count();
        assert_eq!(open, MOST_OPEN_LOOKUPS);
        let mut begun = open;
        for _ in 0..2 * MOST_LOOKUPS {
            names.end_lookup();
            begun += usize::from(names.begin_lookup());
        }
        assert_eq!(begun, MOST_LOOKUPS);
    }

    #[test]
    fn names_are_compared_without_case_and_dot() {
        assert_eq!(normalized("API.Example.Test."), "api.example.test");
    }
}
