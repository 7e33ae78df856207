//! Words of schedules: periods, days of the week, parts of a day.

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Unit {
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Quarter,
    Year,
}

pub(super) const EVERY: &str = "every each jede jeden jedes jeder alle chaque cada";
/// Before an article: `tous les jours`, `todos los dias`.
pub(super) const EVERY_THE: &str = "tous toutes todos todas";
pub(super) const PER: &str = "a per pro par al am an por each every";
pub(super) const WORKDAYS: &str =
    "weekday weekdays workday workdays werktag werktags werktage wochentag arbeitstag laborable laborables ouvre ouvres";

pub(super) const ADVERBS: &[(Unit, &str)] = &[
    (Unit::Hour, "hourly stundlich"),
    (Unit::Day, "daily nightly taglich quotidien quotidienne quotidiennement diario diaria diariamente"),
    (Unit::Week, "weekly wochentlich hebdomadaire semanal semanalmente"),
    (Unit::Month, "monthly monatlich mensuel mensuelle mensual mensualmente"),
    (Unit::Quarter, "quarterly"),
    (Unit::Year, "yearly annually jahrlich"),
];

pub(super) const UNITS: &[(Unit, &str)] = &[
    (Unit::Second, "second seconds sekunde sekunden seconde secondes segundo segundos"),
    (Unit::Minute, "minute minutes min mins minuten minuto minutos"),
    (Unit::Hour, "hour hours stunde stunden heure heures hora horas h"),
    (Unit::Day, "day days tag tage tagen jour jours dia dias night nacht nuit noche"),
    (Unit::Week, "week weeks woche wochen semaine semaines semana semanas"),
    (Unit::Month, "month months monat monate monats mois mes meses"),
    (Unit::Quarter, "quarter quartal trimestre"),
    (Unit::Year, "year jahr an annee ano"),
];

pub(super) const DAYS: &[(u8, &str)] = &[
    (1, "monday mondays montag montags lundi lundis lunes"),
    (2, "tuesday tuesdays dienstag dienstags mardi mardis martes"),
    (3, "wednesday wednesdays mittwoch mittwochs mercredi mercredis miercoles"),
    (4, "thursday thursdays donnerstag donnerstags jeudi jeudis jueves"),
    (5, "friday fridays freitag freitags vendredi vendredis viernes"),
    (6, "saturday saturdays samstag samstags samedi samedis sabado sabados"),
    (0, "sunday sundays sonntag sonntags dimanche dimanches domingo domingos"),
];

/// Parts of a day, and the hour that is assumed for them.
pub(super) const PARTS: &[(u32, &str)] = &[
    (8, "morning mornings morgen morgens matin matins manana mananas fruh"),
    (12, "noon midday mittag mittags midi mediodia lunchtime"),
    (15, "afternoon nachmittag nachmittags tarde"),
    (18, "evening evenings abend abends soir soirs"),
    (2, "nightly nachts night nights nacht nuit noche noches"),
    (0, "midnight mitternacht minuit medianoche"),
];
pub(super) const AT: &str = "at um a around gegen las la";
pub(super) const NAMES: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
pub(super) const MONTH_NAMES: [&str; 13] =
    ["", "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];

/// Short names of days, which count only in a range.
pub(super) const SHORT_DAYS: &[(u8, &str)] = &[
    (1, "mon mo lun"),
    (2, "tue tues di mar"),
    (3, "wed mi mie"),
    (4, "thu thur thurs do jue jeu"),
    (5, "fri fr vie ven"),
    (6, "sat sa sab sam"),
    (0, "sun so dom dim"),
];

pub(super) const MONTHS: &[(u32, &str)] = &[
    (1, "january januar janvier enero"),
    (2, "february februar fevrier febrero"),
    (3, "march marz mars marzo"),
    (4, "april avril abril"),
    (5, "may mai mayo"),
    (6, "june juni juin junio"),
    (7, "july juli juillet julio"),
    (8, "august aout agosto"),
    (9, "september septembre septiembre"),
    (10, "october oktober octobre octubre"),
    (11, "november novembre noviembre"),
    (12, "december dezember decembre diciembre"),
];
