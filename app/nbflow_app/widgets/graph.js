// The graph in the browser: the colours of the theme, zoom and labels, fit and find, lit edges, links.
// One script for all events of one graph; what it changes stays in the browser.

// Kept at the plot: two events at once make Bokeh compile this module twice.
export default (args, from, data, {index}) => {
  args.plot.graph ??= new View(args, index)
  args.plot.graph.hear(from, data)
}

class View {
  constructor(args, index) {
    Object.assign(this, args)
    const [width, height] = this.size
    this.sight = new Sight(this.plot, () => ({left: 0, right: width, low: -height, high: 0}), () => this.moved())
    const view = index.find_one(this.plot)
    view.canvas_view.events_el.tabIndex = -1 // it has no keys
    this.minimap = new Minimap(view, this.sight, () => this.spots(), this.boxSize)
    follow_theme(this.themes, theme => this.paint(theme))
    this.boxes.data_source.connect(this.boxes.data_source.patching, () => this.minimap.draw())
  }

  hear(from, data) {
    if (from === this.plot) this.resized()
    else if (from === this.plot.x_range) this.moved()
    else if (from === this.fit) this.sight.show_all()
    else if (from === this.find) this.show_wanted()
    else if (from.type === "TapTool") this.open(data)
    else this.light(from)
  }

  // --- theme ---

  paint(theme) {
    this.theme = theme
    this.lineColours.palette = theme.line
    this.fillColours.palette = this.is_far ? theme.line : theme.fill
    this.solidColours.palette = theme.solid
    this.edges.glyph.line_color = {value: theme.arrow}
    this.arrows.glyph.fill_color = {value: theme.arrow}
    this.lit.glyph.line_color = {value: theme.accent}
    this.names.glyph.text_color = {value: theme.text}
    this.details.glyph.text_color = {value: theme.dim}
    this.hands.glyph.line_color = {value: theme.dim}
    this.minimap.draw(theme)
  }

  // --- where one looks ---

  resized() {
    if (!this.sight.resized()) return
    if (this.sight.scale_of_all() >= ALL) this.sight.show_all()
    else this.show_wanted()
  }

  // What failed or runs in the middle, else where the pipeline begins.
  show_wanted() {
    const {x, y, state} = this.boxes.data_source.data
    const first = this.wanted.map(each => state.indexOf(each)).find(row => row >= 0) ?? null
    if (first === null) this.sight.show(0, y[x.indexOf(Math.min(...x))])
    else this.sight.show(x[first], y[first])
  }

  moved() {
    if (!this.sight.width) return
    this.minimap.draw()
    const {scale} = this.sight
    const steps = grow(this, scale)
    if (steps === null) return
    this.hands.visible = this.icons.visible
    this.hands.glyph.size = {value: 12 * steps}
    this.hands.glyph.line_width = {value: 1.5 * steps}
    const is_far = scale < ICONS
    if (is_far !== this.is_far) {
      this.is_far = is_far
      this.fillColours.palette = is_far ? this.theme.line : this.theme.fill
    }
  }

  spots() {
    const {x, y, state} = this.boxes.data_source.data
    const {factors, palette} = this.lineColours
    return {x, y, colour: row => palette[factors.indexOf(state[row])]}
  }

  // --- what one points at ---

  open(data) {
    const row = data.source.selected.indices[0]
    if (row === undefined || !this.link) return
    const address = this.link + encodeURIComponent(data.source.data.name[row])
    const {modifiers} = data.geometries
    data.source.selected.indices = []
    if (modifiers && (modifiers.ctrl || modifiers.meta)) open(address, "_blank", "noopener")
    else open(address, "_top") // the page, also where the drawing is a frame in it
  }

  light({x, y}) {
    const row = this.row_at(x, y)
    if (row === this.lit_row) return
    this.lit_row = row
    const rows = row === null ? [] : this.edges_of(row)
    const {data: all} = this.edges.data_source
    const taken = Object.entries(all).map(([name, column]) => [name, rows.map(at => column[at])])
    this.lit.data_source.data = Object.fromEntries(taken)
  }

  row_at(x, y) {
    const {data} = this.boxes.data_source
    const [across, up] = [this.boxSize[0] / 2, this.boxSize[1] / 2]
    const row = data.x.findIndex((at, row) => Math.abs(at - x) <= across && Math.abs(data.y[row] - y) <= up)
    return row < 0 ? null : row
  }

  // Edges follow each other where one ends on the point at which the next begins.
  edges_of(row) {
    const {x, y} = this.boxes.data_source.data
    const half = this.boxSize[0] / 2
    this.from ??= this.group("x0", "y0")
    this.to ??= this.group("x1", "y1")
    const {x0, y0, x1, y1} = this.edges.data_source.data
    const rows = new Set()
    const follow = (map, at_x, at_y, xs, ys) => {
      for (const next of map.get(`${at_x},${at_y}`) ?? []) {
        if (rows.has(next)) continue
        rows.add(next)
        follow(map, xs[next], ys[next], xs, ys)
      }
    }
    follow(this.from, x[row] + half, y[row], x1, y1)
    follow(this.to, x[row] - half, y[row], x0, y0)
    return [...rows]
  }

  group(x, y) {
    const {data} = this.edges.data_source
    const map = new Map()
    data[x].forEach((at, row) => {
      const key = `${at},${data[y][row]}`
      map.has(key) ? map.get(key).push(row) : map.set(key, [row])
    })
    return map
  }
}
