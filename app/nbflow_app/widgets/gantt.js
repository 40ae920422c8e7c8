// The bars in the browser: the colours of the theme, the clock, links. What it changes stays in the browser.

let view = null
export default (args, from, data, {index}) => {
  view ??= new View(args, index)
  if (from.type === "TapTool") view.open(data)
}

class View {
  constructor(args, index) {
    Object.assign(this, args)
    index.find_one(this.plot).canvas_view.events_el.tabIndex = -1 // it has no keys
    this.loaded = performance.now()
    follow_theme(this.themes, theme => this.paint(theme))
    this.tick()
    setInterval(() => document.hidden || this.tick(), 1000)
  }

  paint(theme) {
    this.lineColours.palette = theme.line
    const {glyph: plan} = this.plans
    plan.fill_color = {value: theme.edge}
    plan.hatch_color = {value: theme.dim}
    this.critical.glyph.fill_color = {value: theme.accent}
    this.now.line_color = theme.accent
    this.grid.grid_line_color = theme.edge
    for (const axis of this.axes) axis.setv({major_label_text_color: theme.text, axis_label_text_color: theme.dim})
  }

  // Attempts that have not ended reach to now.
  tick() {
    const seconds = this.started + (performance.now() - this.loaded) / 1000
    const {data_source: source} = this.attempts
    const {end, left, width, x} = source.data
    this.now.location = seconds
    let is_changed = false
    for (let row = 0; row < end.length; row++) {
      if (end[row] >= 0) continue
      width[row] = Math.max(0, seconds - left[row])
      x[row] = left[row] + width[row] / 2
      is_changed = true
    }
    if (is_changed) source.change.emit()
  }

  open(data) {
    const row = data.source.selected.indices[0]
    if (row === undefined || !this.link) return
    data.source.selected.indices = []
    open(this.link + encodeURIComponent(data.source.data.name[row]), "_top")
  }
}
