package store

// SQLiteOptions are those of the addresses that Open makes.
const SQLiteOptions = sqliteOptions
