//! A plot as SVG, without a library.

use std::fmt::Write;

/// What is plotted over time.
pub struct Line<'a> {
    pub name: &'a str,
    pub values: &'a [f64],
}

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 90.0;
const LEFT: f64 = 20.0;
const TITLE: f64 = 22.0;

/// One below the other, each from zero to a little above its largest value.
pub fn plot(lines: &[Line], minutes: f64) -> String {
    let (width, height) = (WIDTH + 2.0 * LEFT, lines.len() as f64 * (HEIGHT + TITLE) + 30.0);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"{width}\" height=\"{height}\" fill=\"white\"/>\n"
    );
    for (place, Line { name, values }) in lines.iter().enumerate() {
        let top = place as f64 * (HEIGHT + TITLE) + TITLE;
        let most = values.iter().copied().fold(f64::MIN_POSITIVE, f64::max) * 1.1;
        let point = |(at, value): (usize, &f64)| {
            let x = LEFT + WIDTH * at as f64 / (values.len().max(2) - 1) as f64;
            format!("{x:.1},{:.1}", top + HEIGHT * (1.0 - value / most))
        };
        let points: Vec<_> = values.iter().enumerate().map(point).collect();
        let last = values.last().copied().unwrap_or_default();
        // Writing to a string does not fail.
        let _ = write!(
            svg,
            "<text x=\"{LEFT}\" y=\"{:.1}\">{name}: at the end {last:.1}, at most {:.1}</text>\n\
             <rect x=\"{LEFT}\" y=\"{top:.1}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"none\" stroke=\"#ccc\"/>\n\
             <polyline fill=\"none\" stroke=\"#1f6feb\" points=\"{}\"/>\n",
            top - 6.0,
            most / 1.1,
            points.join(" ")
        );
    }
    let _ = write!(svg, "<text x=\"{LEFT}\" y=\"{:.1}\">{minutes} minutes</text>\n</svg>\n", height - 8.0);
    svg
}
