package config

// zones are the time zones that are offered when one is misspelt: Russia's from west to east, its neighbours'. Every
// zone of the tz database is accepted.
func zones() []string {
	return []string{
		"Europe/Kaliningrad", "Europe/Moscow", "Europe/Simferopol", "Europe/Kirov", "Europe/Volgograd", "Europe/Astrakhan",
		"Europe/Saratov", "Europe/Ulyanovsk", "Europe/Samara", "Asia/Yekaterinburg", "Asia/Omsk", "Asia/Novosibirsk",
		"Asia/Barnaul", "Asia/Tomsk", "Asia/Novokuznetsk", "Asia/Krasnoyarsk", "Asia/Irkutsk", "Asia/Chita",
		"Asia/Yakutsk", "Asia/Khandyga", "Asia/Vladivostok", "Asia/Ust-Nera", "Asia/Magadan", "Asia/Sakhalin",
		"Asia/Srednekolymsk", "Asia/Kamchatka", "Asia/Anadyr",
		"Europe/Minsk", "Europe/Kyiv", "Europe/Chisinau", "Europe/Riga", "Europe/Tallinn", "Europe/Vilnius",
		"Asia/Almaty", "Asia/Tashkent", "Asia/Samarkand", "Asia/Bishkek", "Asia/Dushanbe", "Asia/Ashgabat", "Asia/Baku",
		"Asia/Tbilisi", "Asia/Yerevan", "Europe/Istanbul", "Asia/Dubai", "Asia/Shanghai", "Europe/Belgrade",
		"Europe/Berlin", "Europe/London", "UTC",
	}
}
