//! When JSON values are the same: numbers by their value, objects whatever their order.

use std::cmp::Ordering;
use std::hash::{BuildHasher, Hash, Hasher, RandomState};

use serde_json::{Number, Value};

/// Whether two values are the same. Calls `step` for every value that it looks at.
pub fn equal<E>(left: &Value, right: &Value, step: &mut impl FnMut(usize) -> Result<(), E>) -> Result<bool, E> {
    step(1)?;
    Ok(match (left, right) {
        (Value::Number(left), Value::Number(right)) => compare(left, right) == Some(Ordering::Equal),
        (Value::String(left), Value::String(right)) => {
            step(left.len().min(right.len()) / 64)?;
            left == right
        }
        (Value::Array(left), Value::Array(right)) => {
            if left.len() != right.len() {
                return Ok(false);
            }
            for (left, right) in left.iter().zip(right) {
                if !equal(left, right, step)? {
                    return Ok(false);
                }
            }
            true
        }
        (Value::Object(left), Value::Object(right)) => {
            if left.len() != right.len() {
                return Ok(false);
            }
            for (name, left) in left {
                let Some(right) = right.get(name) else { return Ok(false) };
                if !equal(left, right, step)? {
                    return Ok(false);
                }
            }
            true
        }
        (left, right) => left == right,
    })
}

/// A hash that equal values share and that nobody can foresee.
pub fn hash<E>(value: &Value, keys: &RandomState, step: &mut impl FnMut(usize) -> Result<(), E>) -> Result<u64, E> {
    step(1)?;
    let mut hasher = keys.build_hasher();
    match value {
        Value::Null => 0_u8.hash(&mut hasher),
        Value::Bool(value) => (1_u8, value).hash(&mut hasher),
        // Adding zero makes -0.0 a zero like the other.
        Value::Number(number) => (2_u8, (number.as_f64().unwrap_or(0.0) + 0.0).to_bits()).hash(&mut hasher),
        Value::String(text) => {
            step(text.len() / 64)?;
            (3_u8, text).hash(&mut hasher);
        }
        Value::Array(items) => {
            4_u8.hash(&mut hasher);
            for item in items {
                hash(item, keys, step)?.hash(&mut hasher);
            }
        }
        Value::Object(properties) => {
            let mut sum = 0_u64;
            for (name, property) in properties {
                step(name.len() / 64)?;
                sum = sum.wrapping_add(keys.hash_one((name, hash(property, keys, step)?)));
            }
            (5_u8, sum).hash(&mut hasher);
        }
    }
    Ok(hasher.finish())
}

/// Compares numbers by their value; whole ones exactly, however large.
pub fn compare(left: &Number, right: &Number) -> Option<Ordering> {
    match (whole(left), whole(right)) {
        (Some(left), Some(right)) => Some(left.cmp(&right)),
        _ => left.as_f64()?.partial_cmp(&right.as_f64()?),
    }
}

/// Whether a number is a multiple of another. Fractions are judged by what was written, as far as a float tells.
pub fn is_multiple(number: &Number, factor: &Number) -> bool {
    if let (Some(number), Some(factor)) = (whole(number), whole(factor)) {
        return factor != 0 && number % factor == 0;
    }
    let (Some(number), Some(factor)) = (number.as_f64(), factor.as_f64()) else { return false };
    let quotient = number / factor;
    quotient.is_finite() && (quotient - quotient.round()).abs() <= quotient.abs().max(1.0) * 1e-12
}

/// Whether a number has no fraction.
pub fn is_whole(number: &Number) -> bool {
    whole(number).is_some() || number.as_f64().is_some_and(|number| number.fract() == 0.0)
}

fn whole(number: &Number) -> Option<i128> {
    number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from))
}
