//! The report as a picture: who takes how much longer than sockless.

#![allow(
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "pixels of a picture are few"
)]

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::report::{Figure, Method, Row, Table, time};

const FONT: &str = "Helvetica, Arial, sans-serif";
const ROW: i32 = 36;
/// Above the rows: the title and what it means.
const TOP: i32 = 96;
/// Below the rows: the axis and where the figures come from.
const BOTTOM: i32 = 106;
const TITLES: i32 = 250;
const TIMES: i32 = 70;
const PLOT: i32 = 560;
/// Half of what a marker is wide.
const RADIUS: i32 = 5;

const TEXT: RGBColor = RGBColor(0x22, 0x22, 0x22);
const FAINT: RGBColor = RGBColor(0x66, 0x66, 0x66);
const GRID: RGBColor = RGBColor(0xdd, 0xdd, 0xdd);
const STRIPE: RGBColor = RGBColor(0xf4, 0xf5, 0xf7);
const LIMIT: RGBColor = RGBColor(0x77, 0x77, 0x77);

/// Colours that most people can tell apart (Okabe and Ito), the yellow darker, and a few more.
const COLOURS: [RGBColor; 10] = [
    RGBColor(0xd5, 0x5e, 0x00),
    RGBColor(0x00, 0x72, 0xb2),
    RGBColor(0x00, 0x9e, 0x73),
    RGBColor(0xcc, 0x79, 0xa7),
    RGBColor(0xe6, 0x9f, 0x00),
    RGBColor(0x56, 0xb4, 0xe9),
    RGBColor(0x8a, 0x7a, 0x00),
    RGBColor(0x6a, 0x3d, 0x9a),
    RGBColor(0x7f, 0x4f, 0x24),
    RGBColor(0x22, 0x3a, 0x5e),
];

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;
type Drawn<'a> = Result<(), DrawingAreaErrorKind<<SVGBackend<'a> as DrawingBackend>::ErrorType>>;

/// A row for every series that is to be plotted; `None` if there is none.
///
/// # Panics
///
/// If the drawing is wrong: a string takes all.
pub fn svg(tables: &[Table], method: &Method) -> Option<String> {
    let rows: Vec<_> = tables
        .iter()
        .flat_map(|table| &table.rows)
        .filter(|row| row.plotted)
        .collect();
    if rows.is_empty() {
        return None;
    }
    let mut peers: Vec<&str> = Vec::new();
    for figure in rows.iter().flat_map(|row| &row.peers) {
        if !peers.contains(&&*figure.name) {
            peers.push(&figure.name);
        }
    }
    let lines = rows.len().max(peers.len() + 3) as i32;
    let longest = peers
        .iter()
        .map(|name| name.len())
        .max()
        .unwrap_or_default();
    // The widest letters of a font without fixed widths are rare.
    let legend = 50 + 7 * longest.max("sockless 0.0.0".len()) as i32;
    let width = TITLES + TIMES + PLOT + legend;
    let height = TOP + lines * ROW + BOTTOM;
    let mut picture = String::new();
    {
        let size = (width as u32, height as u32);
        let area = SVGBackend::with_string(&mut picture, size).into_drawing_area();
        let plot = Plot {
            scale: Scale::of(&rows),
            rows,
            peers,
        };
        area.fill(&WHITE)
            .and_then(|()| plot.draw(&area, method))
            .and_then(|()| area.present())
            .expect("a string takes all");
    }
    Some(picture)
}

struct Plot<'a> {
    rows: Vec<&'a Row>,
    /// In the order of the legend.
    peers: Vec<&'a str>,
    scale: Scale,
}

impl Plot<'_> {
    fn draw<'a>(&self, area: &Area<'a>, method: &Method) -> Drawn<'a> {
        let title = "Time for one message, relative to sockless";
        text(area, title, (16, 30), 22, TEXT, HPos::Left)?;
        let meaning = "Left of the line: faster than sockless. Right of it: slower. The scale is logarithmic. \
            The limit is the bare work in safe code: copy, unmask, validate.";
        text(area, meaning, (16, 54), 14, FAINT, HPos::Left)?;
        self.draw_axis(area)?;
        for (i, row) in self.rows.iter().enumerate() {
            self.draw_row(area, row, TOP + i as i32 * ROW + ROW / 2)?;
        }
        self.draw_legend(area)?;
        let bottom = TOP + self.rows.len() as i32 * ROW;
        let machine = &method.machine;
        let caption = [
            format!(
                "{}, {} cores. {}, {}.",
                machine.cpu, machine.cores, machine.target, machine.rustc
            ),
            format!(
                "In memory, results checked, median of the quietest third of {} turns. {}, {}.",
                method.turns, method.command, machine.date
            ),
        ];
        for (line, y) in caption.iter().zip([62, 82]) {
            text(area, line, (16, bottom + y), 12, FAINT, HPos::Left)?;
        }
        Ok(())
    }

    fn draw_axis<'a>(&self, area: &Area<'a>) -> Drawn<'a> {
        let bottom = TOP + self.rows.len() as i32 * ROW;
        for i in (0..self.rows.len() as i32).step_by(2) {
            let y = TOP + i * ROW;
            let corners = [(0, y), (TITLES + TIMES + PLOT, y + ROW)];
            area.draw(&Rectangle::new(corners, STRIPE.filled()))?;
        }
        text(
            area,
            "sockless",
            (TITLES + TIMES - 14, TOP - 12),
            12,
            FAINT,
            HPos::Right,
        )?;
        for (value, label) in self.scale.ticks() {
            let x = self.scale.x(value);
            let (colour, thickness) = if label == "1" { (TEXT, 2) } else { (GRID, 1) };
            let line = vec![(x, TOP - 4), (x, bottom + 4)];
            area.draw(&PathElement::new(line, colour.stroke_width(thickness)))?;
            for y in [TOP - 12, bottom + 16] {
                text(area, &label, (x, y), 12, FAINT, HPos::Center)?;
            }
        }
        let x = TITLES + TIMES + PLOT / 2;
        let label = "times the time of sockless";
        text(area, label, (x, bottom + 36), 12, FAINT, HPos::Center)
    }

    fn draw_row<'a>(&self, area: &Area<'a>, row: &Row, y: i32) -> Drawn<'a> {
        text(area, &row.title, (16, y), 14, TEXT, HPos::Left)?;
        let own = time(row.sockless.time);
        text(area, &own, (TITLES + TIMES - 14, y), 12, FAINT, HPos::Right)?;
        let x = |figure: &Figure| self.scale.x(figure.time / row.sockless.time);
        let mut marks: Vec<_> = row
            .peers
            .iter()
            .map(|peer| (x(peer), self.number(&peer.name)))
            .collect();
        marks.sort_unstable();
        let places: Vec<_> = marks.iter().map(|mark| mark.0).collect();
        for ((x, number), dodge) in marks.iter().zip(dodges(&places)) {
            draw_mark(area, (*x, y + dodge), *number)?;
        }
        // Above the marks, which are wider.
        match row.limit() {
            Some(limit) => draw_limit(area, (x(limit), y)),
            None => Ok(()),
        }
    }

    fn draw_legend<'a>(&self, area: &Area<'a>) -> Drawn<'a> {
        let x = TITLES + TIMES + PLOT + 22;
        let mut y = TOP + ROW / 2;
        let own = &self.rows[0].sockless.name;
        let line = vec![(x, y - 9), (x, y + 9)];
        area.draw(&PathElement::new(line, TEXT.stroke_width(2)))?;
        text(area, own, (x + 16, y), 14, TEXT, HPos::Left)?;
        for (number, name) in self.peers.iter().enumerate() {
            y += 24;
            draw_mark(area, (x, y), number)?;
            text(area, name, (x + 16, y), 14, TEXT, HPos::Left)?;
        }
        y += 30;
        draw_limit(area, (x, y))?;
        text(area, "limit", (x + 16, y), 14, TEXT, HPos::Left)
    }

    fn number(&self, name: &str) -> usize {
        let mut names = self.peers.iter();
        names.position(|peer| *peer == name).unwrap_or_default()
    }
}

/// A logarithmic axis from one tick to another.
struct Scale {
    low: f64,
    high: f64,
}

impl Scale {
    fn of(rows: &[&Row]) -> Self {
        let (mut low, mut high) = (0.5_f64, 2.0_f64);
        for row in rows {
            for figure in row.peers.iter().chain(row.limit()) {
                low = low.min(figure.time / row.sockless.time);
                high = high.max(figure.time / row.sockless.time);
            }
        }
        // Some room, so that no marker is cut.
        Self {
            low: low / 1.1,
            high: high * 1.1,
        }
    }

    fn x(&self, value: f64) -> i32 {
        let share = (value / self.low).ln() / (self.high / self.low).ln();
        TITLES + TIMES + (share * f64::from(PLOT)).round() as i32
    }

    /// 1, 2 and 5 of every power of ten, as far as there is room for their labels.
    fn ticks(&self) -> Vec<(f64, String)> {
        let decades = (self.high / self.low).log10();
        let steps: &[i32] = if decades > 4.0 { &[1] } else { &[1, 2, 5] };
        let powers = -6..=6;
        powers
            .flat_map(|power| steps.iter().map(move |step| (power, step)))
            .map(|(power, step)| {
                let value = f64::from(*step) * 10_f64.powi(power);
                let places = (-power).max(0) as usize;
                (value, format!("{value:.places$}"))
            })
            .filter(|(value, _)| (self.low..=self.high).contains(value))
            .collect()
    }
}

/// How far each mark of a row is moved up or down, so that none hides another if it can be helped; `places` ascend.
fn dodges(places: &[i32]) -> Vec<i32> {
    let mut lanes = [(0, i32::MIN), (-11, i32::MIN), (11, i32::MIN)];
    let mut dodges = Vec::new();
    for x in places {
        let free = |lane: &&mut (i32, i32)| lane.1.saturating_add(2 * RADIUS + 1) <= *x;
        let lane = match lanes.iter_mut().find(free) {
            Some(lane) => lane,
            // None is free: the one that has been free for longest.
            None => lanes.iter_mut().min_by_key(|lane| lane.1).expect("three"),
        };
        lane.1 = *x;
        dodges.push(lane.0);
    }
    dodges
}

/// Each peer has a colour and a shape, together its own.
fn draw_mark<'a>(area: &Area<'a>, (x, y): (i32, i32), number: usize) -> Drawn<'a> {
    let fill = COLOURS[number % COLOURS.len()];
    // A white rim keeps marks apart that touch.
    for (r, style) in [(RADIUS + 1, WHITE.filled()), (RADIUS, fill.filled())] {
        match number % 4 {
            0 => area.draw(&Circle::new((x, y), r, style))?,
            1 => area.draw(&Rectangle::new(
                [(x - r + 1, y - r + 1), (x + r - 1, y + r - 1)],
                style,
            ))?,
            2 => area.draw(&Polygon::new(
                vec![(x, y - r), (x + r, y + r - 1), (x - r, y + r - 1)],
                style,
            ))?,
            _ => area.draw(&Polygon::new(
                vec![
                    (x, y - r - 1),
                    (x + r + 1, y),
                    (x, y + r + 1),
                    (x - r - 1, y),
                ],
                style,
            ))?,
        }
    }
    Ok(())
}

fn draw_limit<'a>(area: &Area<'a>, (x, y): (i32, i32)) -> Drawn<'a> {
    let corners = [(x - 1, y - 15), (x + 1, y + 15)];
    area.draw(&Rectangle::new(corners, LIMIT.filled()))
}

/// Text whose middle is at the height of `place`.
fn text<'a>(
    area: &Area<'a>,
    text: &str,
    place: (i32, i32),
    size: i32,
    colour: RGBColor,
    anchor: HPos,
) -> Drawn<'a> {
    let style = (FONT, size)
        .into_font()
        .color(&colour)
        .pos(Pos::new(anchor, VPos::Center));
    area.draw(&Text::new(text.to_owned(), place, style))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Machine;

    #[test]
    fn marks_that_are_near_are_moved_apart() {
        assert_eq!(dodges(&[10, 40, 80]), [0, 0, 0]);
        assert_eq!(dodges(&[10, 12, 14, 30]), [0, -11, 11, 0]);
        assert_eq!(dodges(&[10, 12, 14, 15]), [0, -11, 11, 0]);
        assert_eq!(dodges(&[]), [0; 0]);
    }

    #[test]
    fn everything_is_named() {
        let figure = |name: &str, time| Figure {
            name: name.to_owned(),
            time,
        };
        let row = |title: &str, plotted| Row {
            title: title.to_owned(),
            sockless: figure("sockless 1", 50.0),
            peers: vec![figure("tortoise 2", 5000.0), figure("hare 3", 20.0)],
            limits: vec![figure("memcpy", 10.0)],
            plotted,
        };
        let method = Method {
            command: "benches/run --quick".to_owned(),
            turns: 15,
            machine: Machine {
                cpu: "Some CPU".to_owned(),
                cores: 2,
                rustc: "rustc 1",
                target: "target",
                features: "sse2",
                date: "2000-01-01".to_owned(),
            },
        };
        let tables = [Table {
            title: "Group",
            rows: vec![row("Shown", true), row("Hidden", false)],
        }];
        let picture = svg(&tables, &method).unwrap();
        for name in [
            "Shown",
            "50.0 ns",
            "sockless 1",
            "tortoise 2",
            "hare 3",
            "Some CPU, 2 cores",
            "benches/run --quick",
            "2000-01-01",
        ] {
            assert!(picture.contains(name), "{name}");
        }
        assert!(!picture.contains("Hidden"));
        assert!(svg(&[], &method).is_none());
    }

    #[test]
    fn ticks_are_named_by_their_value() {
        let scale = Scale {
            low: 0.15,
            high: 12.0,
        };
        let labels: Vec<_> = scale.ticks().into_iter().map(|tick| tick.1).collect();
        assert_eq!(labels, ["0.2", "0.5", "1", "2", "5", "10"]);
        assert_eq!(scale.x(0.15), TITLES + TIMES);
        assert_eq!(scale.x(12.0), TITLES + TIMES + PLOT);
    }
}
