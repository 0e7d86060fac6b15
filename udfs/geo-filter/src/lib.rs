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
    let place = (place.latitude, place.longitude);
    geo::check(place)?;
    Ok(geo::distance_km((circle.latitude, circle.longitude), place) <= circle.radius_km)
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
    fn coordinates_outside_the_globe_are_refused() {
        check((90.5, 0.0), 1.0, Err("there is no place at 90.5, 0"));
    }
}
