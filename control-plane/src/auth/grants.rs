//! What a set of grants allows, and whether one set allows all that another does.
//!
//! The comparison asks for a counterexample: a permission and attributes that the one set allows and the other does
//! not. Permissions fall into few classes (each name that stands in a grant, the rest of each family, and everything
//! else), and within a class what is left is a search for attributes: each condition confines one attribute to some
//! values or keeps it from some, so a branch of the search is one set of values for each attribute.

use std::collections::{BTreeMap, BTreeSet};

use super::Attributes;
use crate::model::Grant;
use crate::model::access::{Action, Condition};

/// How many values of conditions a comparison may look at before it gives up and answers no: some 10 ms. Roles that
/// people write take some hundreds; the search is exponential only in conditions that were made to be so.
const MAX_VALUES: usize = 500_000;

/// Whether a grant allows the permission and none denies it.
pub fn allow(grants: &[Grant], permission: &str, attributes: &Attributes) -> bool {
    let matching = |action: Action| {
        grants.iter().filter(move |grant| grant.action == action).any(|grant| {
            names(&grant.permission_name, permission)
                && grant.conditions.iter().all(|(name, condition)| holds(condition, attributes.get(name)))
        })
    };
    matching(Action::Allow) && !matching(Action::Deny)
}

/// Whether `outer` allows everything that `inner` does, whatever is asked for. Where that cannot be decided within a
/// bound, the answer is no. Attributes are taken to be independent of each other, and names of permissions to be
/// without end: so no list of names covers `*`, which will also mean the permissions that are yet to come.
pub fn cover(outer: &[Grant], inner: &[Grant]) -> bool {
    if outer == inner {
        return true;
    }
    let mut budget = Budget(MAX_VALUES);
    classes(outer, inner).iter().all(|permission| {
        let (inner_allows, inner_denies) = matching(inner, permission);
        let (outer_allows, outer_denies) = matching(outer, permission);
        inner_allows.iter().all(|allowed| {
            let Some(assignment) = Assignment::default().and(&allowed.conditions) else { return true };
            // A counterexample is allowed by this grant, denied by none of `inner`, and then either denied by `outer` …
            let denied = outer_denies.iter().any(|denied| {
                if !budget.spend(&assignment, denied) {
                    return true;
                }
                let both = assignment.clone().and(&denied.conditions);
                both.is_some_and(|assignment| may_match_none(&inner_denies, &assignment, &mut budget))
            });
            // … or allowed by none of it.
            let not_allowed = [&inner_denies[..], &outer_allows[..]].concat();
            !denied && !may_match_none(&not_allowed, &assignment, &mut budget)
        })
    })
}

/// Whether a grant's name means a permission: by itself, by its family (`Tool:*`), or as everything (`*`).
pub fn names(granted: &str, permission: &str) -> bool {
    match granted.strip_suffix('*') {
        Some("") => true,
        Some(family) => family.ends_with(':') && permission.starts_with(family),
        None => granted == permission,
    }
}

fn holds(condition: &Condition, attribute: Option<&String>) -> bool {
    match condition {
        Condition::Equals { value } => attribute == Some(value),
        Condition::NotEquals { value } => attribute != Some(value),
        Condition::In { values } => attribute.is_some_and(|attribute| values.contains(attribute)),
    }
}

/// One permission out of each class that no grant tells apart.
fn classes(outer: &[Grant], inner: &[Grant]) -> BTreeSet<String> {
    // The 0 byte stands for a name that no grant holds.
    let of = |grant: &Grant| match grant.permission_name.strip_suffix('*') {
        Some(family) => format!("{family}\0"),
        None => grant.permission_name.clone(),
    };
    outer.iter().chain(inner).map(of).collect()
}

/// The grants that name a permission: those that allow it, and those that deny it.
fn matching<'a>(grants: &'a [Grant], permission: &str) -> (Vec<&'a Grant>, Vec<&'a Grant>) {
    let named = grants.iter().filter(|grant| names(&grant.permission_name, permission));
    named.partition(|grant| grant.action == Action::Allow)
}

/// Whether there are attributes within the assignment that match none of the grants. When the budget is spent, it says
/// that there are, which is the careful answer.
fn may_match_none<'a>(grants: &[&'a Grant], assignment: &Assignment<'a>, budget: &mut Budget) -> bool {
    let Some((grant, rest)) = grants.split_first() else { return true };
    if !budget.spend(assignment, grant) {
        return true;
    }
    if assignment.clone().and(&grant.conditions).is_none() {
        return may_match_none(rest, assignment, budget);
    }
    // A grant does not match where one of its conditions does not hold; one without conditions always matches.
    grant.conditions.iter().any(|(name, condition)| {
        let without = assignment.clone().and_value(name, Values::of(condition).inverted());
        without.is_some_and(|assignment| may_match_none(rest, &assignment, budget))
    })
}

/// How many values may still be looked at.
struct Budget(usize);

impl Budget {
    /// Takes away what it costs to hold a grant against an assignment. It says whether there was enough.
    fn spend(&mut self, assignment: &Assignment, grant: &Grant) -> bool {
        let values = |condition: &Condition| match condition {
            Condition::Equals { .. } | Condition::NotEquals { .. } => 1,
            Condition::In { values } => values.len(),
        };
        let assigned: usize = assignment.0.values().map(|values| 1 + values.len()).sum();
        // Each condition may need a copy of the assignment.
        let cost = 1 + grant.conditions.values().map(|condition| assigned + values(condition)).sum::<usize>();
        let left = self.0.checked_sub(cost);
        self.0 = left.unwrap_or(0);
        left.is_some()
    }
}

/// Which values each attribute may still have. One that is not in it may have any, or not be there.
#[derive(Clone, Default)]
struct Assignment<'a>(BTreeMap<&'a str, Values<'a>>);

impl<'a> Assignment<'a> {
    /// The same where all the conditions hold; nothing where they cannot.
    fn and(self, conditions: &'a BTreeMap<String, Condition>) -> Option<Self> {
        conditions.iter().try_fold(self, |assignment, (name, condition)| {
            let values = Values::of(condition);
            assignment.and_value(name, values)
        })
    }

    fn and_value(mut self, name: &'a str, values: Values<'a>) -> Option<Self> {
        let both = match self.0.remove(name) {
            Some(before) => before.and(values),
            None => values,
        };
        if both.is_empty() {
            return None;
        }
        self.0.insert(name, both);
        Some(self)
    }
}

/// A set of values of an attribute, where `None` is that it is not there.
#[derive(Clone)]
enum Values<'a> {
    /// These.
    Among(BTreeSet<Option<&'a str>>),
    /// All but these. It is never empty, since there are values without end.
    AllBut(BTreeSet<Option<&'a str>>),
}

impl<'a> Values<'a> {
    /// The values for which a condition holds.
    fn of(condition: &'a Condition) -> Self {
        match condition {
            Condition::Equals { value } => Self::Among(BTreeSet::from([Some(value.as_str())])),
            Condition::NotEquals { value } => Self::AllBut(BTreeSet::from([Some(value.as_str())])),
            Condition::In { values } => Self::Among(values.iter().map(|value| Some(value.as_str())).collect()),
        }
    }

    fn inverted(self) -> Self {
        match self {
            Self::Among(values) => Self::AllBut(values),
            Self::AllBut(values) => Self::Among(values),
        }
    }

    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Among(a), Self::Among(b)) => Self::Among(a.intersection(&b).copied().collect()),
            (Self::Among(a), Self::AllBut(b)) | (Self::AllBut(b), Self::Among(a)) => Self::Among(&a - &b),
            (Self::AllBut(a), Self::AllBut(b)) => Self::AllBut(&a | &b),
        }
    }

    fn is_empty(&self) -> bool {
        matches!(self, Self::Among(values) if values.is_empty())
    }

    fn len(&self) -> usize {
        let (Self::Among(values) | Self::AllBut(values)) = self;
        values.len()
    }
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    use super::*;

    fn equals(value: &str) -> Condition {
        Condition::Equals { value: value.to_owned() }
    }

    fn differs(value: &str) -> Condition {
        Condition::NotEquals { value: value.to_owned() }
    }

    fn one_of(values: &[&str]) -> Condition {
        Condition::In { values: values.iter().map(|value| (*value).to_owned()).collect() }
    }

    fn grant(action: Action, name: &str, conditions: &[(&str, Condition)]) -> Grant {
        let conditions = conditions.iter().map(|(name, condition)| ((*name).to_owned(), condition.clone())).collect();
        Grant { action, permission_name: name.to_owned(), conditions }
    }

    fn allowing(name: &str, conditions: &[(&str, Condition)]) -> Grant {
        grant(Action::Allow, name, conditions)
    }

    fn denying(name: &str, conditions: &[(&str, Condition)]) -> Grant {
        grant(Action::Deny, name, conditions)
    }

    const NAME: &str = "Tool:Name";
    const ID: &str = "Tool:Id";

    #[test]
    fn more_rights_cover_fewer_and_not_the_other_way_round() {
        let invoke = || allowing("Tool:InvokeTool", &[]);
        let weather = || allowing("Tool:InvokeTool", &[(NAME, equals("weather"))]);
        let pairs = [
            (vec![allowing("*", &[])], vec![allowing("Tool:*", &[])]),
            (vec![allowing("Tool:*", &[])], vec![invoke()]),
            (vec![invoke()], vec![weather()]),
            (vec![invoke()], vec![]),
            (vec![allowing("Tool:InvokeTool", &[(NAME, one_of(&["weather", "time"]))])], vec![weather()]),
            (vec![allowing("Tool:InvokeTool", &[(NAME, differs("time"))])], vec![weather()]),
            (vec![weather()], vec![allowing("Tool:InvokeTool", &[(NAME, equals("weather")), (ID, equals("1"))])]),
            // What is denied is not given, and need not be had.
            (vec![allowing("*", &[])], vec![allowing("*", &[]), denying("User:*", &[])]),
            (vec![invoke()], vec![invoke(), denying("Tool:InvokeTool", &[(NAME, equals("secret"))])]),
        ];
        for (outer, inner) in pairs {
            assert!(cover(&outer, &inner), "{outer:?} covers {inner:?}");
            assert!(!cover(&inner, &outer), "{inner:?} does not cover {outer:?}");
            assert!(cover(&outer, &outer) && cover(&inner, &inner));
        }
    }

    #[test]
    fn equal_rights_in_other_words_cover_each_other() {
        let pairs = [
            (vec![], vec![allowing("Tool:*", &[]), denying("*", &[])]),
            (vec![], vec![denying("Tool:*", &[])]),
            // Two halves are a whole.
            (
                vec![allowing("Tool:*", &[])],
                vec![allowing("Tool:*", &[(NAME, equals("a"))]), allowing("Tool:*", &[(NAME, differs("a"))])],
            ),
            (
                vec![allowing("Tool:*", &[(NAME, one_of(&["a", "b"]))])],
                vec![allowing("Tool:*", &[(NAME, equals("a"))]), allowing("Tool:*", &[(NAME, equals("b"))])],
            ),
            (
                vec![allowing("Tool:*", &[]), denying("Tool:*", &[(NAME, equals("a"))])],
                vec![allowing("Tool:*", &[(NAME, differs("a"))])],
            ),
            (
                vec![allowing("*", &[]), denying("User:CreateUser", &[])],
                vec![
                    allowing("*", &[]),
                    denying("User:CreateUser", &[]),
                    denying("User:CreateUser", &[(ID, equals("1"))]),
                ],
            ),
        ];
        for (one, other) in pairs {
            assert!(cover(&one, &other), "{one:?} covers {other:?}");
            assert!(cover(&other, &one), "{other:?} covers {one:?}");
        }
    }

    #[test]
    fn a_deny_is_a_lack_however_it_is_written() {
        let all = vec![allowing("*", &[])];
        for denied in [
            denying("Tool:DeleteTool", &[]),
            denying("Tool:*", &[]),
            denying("Tool:InvokeTool", &[(NAME, equals("secret"))]),
            denying("Tool:InvokeTool", &[(NAME, differs("open"))]),
            denying("*", &[("Tool:Tag:team", one_of(&["core", "legal"]))]),
        ] {
            let lesser = vec![allowing("*", &[]), denied];
            assert!(cover(&all, &lesser));
            assert!(!cover(&lesser, &all), "{lesser:?}");
        }
        // What the holder is denied, the other may have only where it is denied it as well.
        let outer = vec![allowing("Tool:*", &[]), denying("Tool:*", &[(NAME, equals("secret"))])];
        assert!(cover(&outer, &[allowing("Tool:*", &[(NAME, equals("open"))])]));
        assert!(cover(&outer, &[allowing("Tool:*", &[]), denying("Tool:*", &[(NAME, one_of(&["secret", "x"]))])]));
        assert!(!cover(&outer, &[allowing("Tool:*", &[]), denying("Tool:*", &[(NAME, equals("x"))])]));
        assert!(!cover(&outer, &[allowing("Tool:*", &[(ID, equals("1"))])]));
    }

    #[test]
    fn a_list_of_names_covers_no_family() {
        let listed: Vec<_> = super::super::permission::ALL.iter().map(|name| allowing(name, &[])).collect();
        assert!(!cover(&listed, &[allowing("*", &[])]));
        assert!(!cover(&listed, &[allowing("Tool:*", &[])]));
        assert!(cover(&[allowing("*", &[])], &listed));
    }

    /// Each grant allows what has the value in none of the attributes. One value more than there are attributes, and
    /// one of the grants always matches; but to see that takes trying all ways to place the values.
    fn pigeonholes(attributes: usize) -> Vec<Grant> {
        let conditions = |value: usize| {
            let condition = |attribute| (format!("Tool:Tag:{attribute}"), differs(&value.to_string()));
            (0..attributes).map(condition).collect()
        };
        let grant =
            |value| Grant { action: Action::Allow, permission_name: "*".to_owned(), conditions: conditions(value) };
        (0..=attributes).map(grant).collect()
    }

    #[test]
    fn the_largest_roles_that_may_be_are_decided() {
        let tool = |n: usize| allowing("Tool:InvokeTool", &[(NAME, equals(&n.to_string())), (ID, differs("1"))]);
        let outer: Vec<_> = (0..100).map(tool).collect();
        let inner: Vec<_> = (0..99).rev().map(tool).collect();
        assert!(cover(&outer, &inner));
        assert!(!cover(&inner, &outer));
    }

    #[test]
    fn what_takes_too_long_to_decide_is_not_covered() {
        assert!(cover(&pigeonholes(3), &[allowing("*", &[])]));
        assert!(!cover(&pigeonholes(9), &[allowing("*", &[])]));
    }

    /// The comparison against trying out every request of a small world.
    #[test]
    fn it_agrees_with_trying_everything() {
        let seed = 20_261_124;
        let mut random = StdRng::seed_from_u64(seed);
        let (mut covered, mut not_covered) = (0, 0);
        for _ in 0..4000 {
            let (outer, inner) = (random_grants(&mut random), random_grants(&mut random));
            let expected = requests().all(|(permission, attributes)| {
                !allow(&inner, permission, &attributes) || allow(&outer, permission, &attributes)
            });
            assert_eq!(cover(&outer, &inner), expected, "seed {seed}: {outer:?} and {inner:?}");
            if expected { covered += 1 } else { not_covered += 1 }
        }
        assert!(covered > 500 && not_covered > 500, "{covered} and {not_covered}: the worlds are too much alike");
    }

    fn random_grants(random: &mut StdRng) -> Vec<Grant> {
        let grants = 0..random.random_range(1..5);
        grants
            .map(|_| {
                let action = if random.random_bool(0.65) { Action::Allow } else { Action::Deny };
                let name = ["*", "A:*", "A:x", "A:y", "B:x"][random.random_range(0..5)];
                let mut conditions = Vec::new();
                for attribute in ["p", "q"] {
                    let value = ["1", "2"][random.random_range(0..2)];
                    match random.random_range(0..6) {
                        0 => conditions.push((attribute, equals(value))),
                        1 => conditions.push((attribute, differs(value))),
                        2 => conditions.push((attribute, one_of(&["1", "2"]))),
                        _ => {}
                    }
                }
                grant(action, name, &conditions)
            })
            .collect()
    }

    /// Every permission and attribute that the random grants can tell apart.
    fn requests() -> impl Iterator<Item = (&'static str, Attributes)> {
        let values = [None, Some("1"), Some("2"), Some("3")];
        ["A:x", "A:y", "A:z", "B:x", "C:x"].into_iter().flat_map(move |permission| {
            values.into_iter().flat_map(move |p| {
                values.into_iter().map(move |q| {
                    let given = [("p", p), ("q", q)].into_iter();
                    let given = given.filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())));
                    (permission, given.collect())
                })
            })
        })
    }
}
