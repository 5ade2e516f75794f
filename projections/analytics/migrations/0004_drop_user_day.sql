-- rollup_user has taken its place.
DROP TABLE IF EXISTS rollup_user_day;
