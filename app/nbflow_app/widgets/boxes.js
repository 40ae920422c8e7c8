// Texts, icons and lines grow with the boxes; what could not be read is left out. Scales as in sight.js.
const DETAILS = 0.72, NAMES = 0.55, ICONS = 0.36 // from where each can be read; without icons a box is a spot of colour

// Returns how much larger than at scale 1 they are, or null where nothing changed.
const grow = (drawn, scale) => {
  const marks = Math.round(scale * 24)
  if (marks === drawn.marks) return null
  drawn.marks = marks
  const steps = marks / 24
  const {names, details, icons, arrows, edges, nameSize, detailSize, iconAt} = drawn
  const size = (glyph, pixels) => { glyph.text_font_size = {value: `${Math.round(pixels * 2) / 2}px`} }
  names.visible = scale >= NAMES
  details.visible = scale >= DETAILS
  size(names.glyph, nameSize * steps)
  size(details.glyph, detailSize * steps)
  names.glyph.y.transform.value = details.visible ? 8 : 0
  icons.glyph.x.transform.value = names.visible ? iconAt : 0
  icons.visible = scale >= ICONS
  icons.glyph.size = {value: 17 * steps}
  icons.glyph.line_width = {value: 2 * steps}
  arrows.glyph.size = {value: Math.min(12, Math.max(3, 9 * steps))}
  edges.glyph.line_width = {value: Math.min(2, Math.max(0.7, 1.5 * steps))}
  return steps
}

