//! Tells how far away places are, and in which direction: a map that adds two columns.

use flink_wasm::prelude::*;

/// A place.
#[derive(Row)]
pub struct Place {
    /// Degrees north, -90 to 90.
    pub latitude: f64,
    /// Degrees east, -180 to 180.
    pub longitude: f64,
}

/// Where it is, seen from the centre.
#[derive(Debug, PartialEq, Row)]
pub struct Way {
    /// Along the surface, in kilometres.
    pub distance_km: f64,
    /// One of the eight points of the compass.
    pub compass: &'static str,
}

/// What a job can set.
#[derive(Parameters)]
pub struct Centre {
    /// Degrees north of the centre.
    pub latitude: f64,
    /// Degrees east of the centre.
    pub longitude: f64,
}

/// Distance and direction from a centre.
#[flink_wasm::map]
pub fn geo_distance(place: Place, centre: &Centre) -> Result<Way, String> {
    const COMPASS: [&str; 8] = ["N", "NE", "E", "SE", "S", "SW", "W", "NW"];
    let (place, centre) = ((place.latitude, place.longitude), (centre.latitude, centre.longitude));
    geo::check(place)?;
    let eighth = (geo::bearing_degrees(centre, place) / 45.0).round() as usize;
    Ok(Way { distance_km: geo::distance_km(centre, place), compass: COMPASS[eighth % COMPASS.len()] })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hamburg_lies_north_west_of_berlin() {
        let centre = Centre { latitude: 52.52, longitude: 13.405 };
        let way = geo_distance(Place { latitude: 53.5511, longitude: 9.9937 }, &centre).unwrap();
        assert!((way.distance_km - 255.3).abs() < 0.1, "{way:?}");
        assert_eq!(way.compass, "NW");
    }
}
