package theme

import (
	"image/color"

	"charm.land/lipgloss/v2"
)

// palette gives each role its colour, for one kind of background. The colours are chosen so that they stay what they are on terminals
// with 256 colours: a red that is nearest to a grey there would not do.
type palette struct {
	dark       bool
	paintText  bool        // set the colour of running text too, for terminals whose own is dim
	background color.Color // what the colours were chosen against
	text       color.Color
	muted      color.Color
	line       color.Color
	accent     color.Color
	pass       color.Color
	warn       color.Color
	fail       color.Color
	blocked    color.Color
	unknown    color.Color
	onBlock    color.Color // text on a block of pass, fail, unknown or accent
	surface    color.Color // the strip at the top
	selection  color.Color
}

func paletteOf(name string, dark bool) palette {
	switch name {
	case "dark":
		return darkPalette()
	case "light":
		return lightPalette()
	case "high-contrast":
		return highContrast(dark)
	case "colour-blind":
		return colourBlind(dark)
	}
	if dark {
		return darkPalette()
	}
	return lightPalette()
}

func darkPalette() palette {
	return palette{
		dark:       true,
		background: lipgloss.Color("#15181E"),
		text:       lipgloss.Color("#DDE2EA"),
		muted:      lipgloss.Color("#9C9C9C"),
		line:       lipgloss.Color("#454D5C"),
		accent:     lipgloss.Color("#82AAFF"),
		pass:       lipgloss.Color("#7FC98F"),
		warn:       lipgloss.Color("#E6BC6A"),
		fail:       lipgloss.Color("#F2777F"),
		blocked:    lipgloss.Color("#B79AE0"),
		unknown:    lipgloss.Color("#5FC3D0"),
		onBlock:    lipgloss.Color("#11141A"),
		surface:    lipgloss.Color("#24272D"),
		selection:  lipgloss.Color("#303540"),
	}
}

func lightPalette() palette {
	return palette{
		background: lipgloss.Color("#FCFCFA"),
		text:       lipgloss.Color("#22262E"),
		muted:      lipgloss.Color("#5F636A"),
		line:       lipgloss.Color("#B2B6BD"),
		accent:     lipgloss.Color("#2556C4"),
		pass:       lipgloss.Color("#00702B"),
		warn:       lipgloss.Color("#865300"),
		fail:       lipgloss.Color("#C01C28"),
		blocked:    lipgloss.Color("#6C3FB0"),
		unknown:    lipgloss.Color("#0A6478"),
		onBlock:    lipgloss.Color("#FFFFFF"),
		surface:    lipgloss.Color("#ECEDF0"),
		selection:  lipgloss.Color("#DDE6F5"),
	}
}

func highContrast(dark bool) palette {
	if dark {
		return palette{
			dark: true, paintText: true,
			background: lipgloss.Color("#000000"),
			text:       lipgloss.Color("#FFFFFF"),
			muted:      lipgloss.Color("#D0D0D0"),
			line:       lipgloss.Color("#A0A0A0"),
			accent:     lipgloss.Color("#9CC4FF"),
			pass:       lipgloss.Color("#5CFF7A"),
			warn:       lipgloss.Color("#FFE14D"),
			fail:       lipgloss.Color("#FFA8A8"),
			blocked:    lipgloss.Color("#E3B8FF"),
			unknown:    lipgloss.Color("#5CF0FF"),
			onBlock:    lipgloss.Color("#000000"),
			surface:    lipgloss.Color("#262626"),
			selection:  lipgloss.Color("#00246B"),
		}
	}
	return palette{
		paintText:  true,
		background: lipgloss.Color("#FFFFFF"),
		text:       lipgloss.Color("#000000"),
		muted:      lipgloss.Color("#333333"),
		line:       lipgloss.Color("#707070"),
		accent:     lipgloss.Color("#002F9E"),
		pass:       lipgloss.Color("#004D1C"),
		warn:       lipgloss.Color("#5C3800"),
		fail:       lipgloss.Color("#93000F"),
		blocked:    lipgloss.Color("#4A1590"),
		unknown:    lipgloss.Color("#004657"),
		onBlock:    lipgloss.Color("#FFFFFF"),
		surface:    lipgloss.Color("#E4E4E4"),
		selection:  lipgloss.Color("#FFF0A8"),
	}
}

// colourBlind keeps pass and fail apart for every common kind of colour blindness: blue against orange, and light against dark.
func colourBlind(dark bool) palette {
	if dark {
		p := darkPalette()
		p.pass = lipgloss.Color("#6CB8F0")
		p.warn = lipgloss.Color("#F0E06A")
		p.fail = lipgloss.Color("#F0934B")
		p.blocked = lipgloss.Color("#D69AC0")
		p.unknown = lipgloss.Color("#C9CDD6")
		p.accent = lipgloss.Color("#E8ECF4")
		return p
	}
	p := lightPalette()
	p.pass = lipgloss.Color("#00599C")
	p.warn = lipgloss.Color("#6B5E00")
	p.fail = lipgloss.Color("#A84300")
	p.blocked = lipgloss.Color("#8A2F7F")
	p.unknown = lipgloss.Color("#4A505B")
	p.accent = lipgloss.Color("#22262E")
	return p
}
