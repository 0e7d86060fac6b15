//! Keeps places near a centre: a filter that refuses coordinates outside the globe.

use flink_wasm::prelude::*;

/// A place.
#[derive(Row)]
pub struct Place {
    /// Degrees north, -90 to 90.
    pub latitude: f64,
    /// Degrees east, -180 to 180.
    pub longitude: f64,
}

/// What a job can set.
#[derive(Parameters)]
pub struct Circle {
    /// Degrees north of the centre.
    pub latitude: f64,
    /// Degrees east of the centre.
    pub longitude: f64,
    /// The radius in kilometres.
    #[parameter(default = 10.0)]
    pub radius_km: f64,
}

/// Keeps places within the circle, on a globe.
#[flink_wasm::filter]
pub fn geo_filter(place: Place, circle: &Circle) -> Result<bool, String> {
    let Place { latitude, longitude } = place;
    if !(-90.0..=90.0).contains(&latitude) || !(-180.0..=180.0).contains(&longitude) {
        return Err(format!("there is no place at {latitude}, {longitude}"));
    }
    Ok(distance_km((latitude, longitude), (circle.latitude, circle.longitude)) <= circle.radius_km)
}

/// The haversine formula, on a sphere with the earth's mean radius.
fn distance_km(from: (f64, f64), to: (f64, f64)) -> f64 {
    const MEAN_RADIUS_KM: f64 = 6371.0088;
    let (from_latitude, to_latitude) = (from.0.to_radians(), to.0.to_radians());
    let half_latitude = (to_latitude - from_latitude) / 2.0;
    let half_longitude = (to.1 - from.1).to_radians() / 2.0;
    let chord =
        half_latitude.sin().powi(2) + from_latitude.cos() * to_latitude.cos() * half_longitude.sin().powi(2);
    // Rounding can bring the chord of two antipodes a little above 1.
    2.0 * MEAN_RADIUS_KM * chord.min(1.0).sqrt().asin()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BERLIN: (f64, f64) = (52.52, 13.405);

    #[track_caller]
    fn check((latitude, longitude): (f64, f64), radius_km: f64, expected: Result<bool, &str>) {
        let circle = Circle { latitude: BERLIN.0, longitude: BERLIN.1, radius_km };
        assert_eq!(geo_filter(Place { latitude, longitude }, &circle), expected.map_err(String::from));
    }

    #[test]
    fn distance_decides() {
        let hamburg = (53.5511, 9.9937);
        check(BERLIN, 0.0, Ok(true));
        check(hamburg, 250.0, Ok(false));
        check(hamburg, 260.0, Ok(true));
    }

    #[test]
    fn the_date_line_and_the_poles_are_no_borders() {
        assert!((distance_km((0.0, 179.5), (0.0, -179.5)) - 111.195).abs() < 0.001);
        assert!(distance_km((90.0, 0.0), (90.0, 123.0)) < 1e-9);
        assert!((distance_km((0.0, 0.0), (0.0, 180.0)) - 20_015.115).abs() < 0.001);
    }

    #[test]
    fn coordinates_outside_the_globe_are_refused() {
        check((90.5, 0.0), 1.0, Err("there is no place at 90.5, 0"));
        check((f64::NAN, 0.0), 1.0, Err("there is no place at NaN, 0"));
    }
}
