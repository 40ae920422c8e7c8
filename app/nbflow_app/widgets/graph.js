// The graph in the browser: the colours of the theme, zoom and labels, fit and find, lit edges, links.
// One script for all events of one graph; what it changes stays in the browser.

// Scales, in screen pixels for a pixel of the layout:
const LARGEST = 2 // the limit of zooming in
const ALL = 0.68, READABLE = 0.8 // a graph that would be smaller than ALL as a whole begins READABLE instead
const DETAILS = 0.72, NAMES = 0.55, ICONS = 0.36 // from where each can be read; without icons a box is a spot of colour

let view = null
export default (args, from, data) => {
  view ??= new View(args)
  view.hear(from, data)
}

class View {
  constructor(args) {
    Object.assign(this, args)
    this.width = 0
    this.marks = null
    follow_theme(this.themes, theme => this.paint(theme))
  }

  hear(from, data) {
    if (from === this.plot) this.resized()
    else if (from === this.plot.x_range) this.moved()
    else if (from === this.fit) this.show_all()
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
  }

  // --- where one looks ---

  get scale() {
    return this.width / (this.plot.x_range.end - this.plot.x_range.start)
  }

  resized() {
    const {properties, x_range, y_range} = this.plot
    const [width, height] = [properties.inner_width, properties.inner_height].map(
      each => each.is_unset ? 0 : each.get_value())
    if (!width || !height) return
    const is_first = !this.width
    const [x, y] = [(x_range.start + x_range.end) / 2, (y_range.start + y_range.end) / 2]
    const scale = is_first ? 1 : this.scale
    this.width = width
    this.height = height
    const smallest = Math.min(0.5, this.scale_of_all() * 0.8)
    x_range.setv({min_interval: this.width / LARGEST, max_interval: this.width / smallest})
    y_range.setv({min_interval: this.height / LARGEST, max_interval: this.height / smallest})
    if (!is_first) this.look_at(x, y, scale)
    else if (this.scale_of_all() >= ALL) this.show_all()
    else this.show_wanted()
  }

  scale_of_all() {
    const [width, height] = this.size
    return Math.min(1, this.width / (width + 32), this.height / (height + 32))
  }

  show_all() {
    const [width, height] = this.size
    this.look_at(width / 2, -height / 2, this.scale_of_all())
  }

  // What failed or runs in the middle, and as little as can be of the empty space around the graph.
  show_wanted() {
    const [width, height] = this.size
    const scale = READABLE
    const {x, y, state} = this.boxes.data_source.data
    const first = this.wanted.map(each => state.indexOf(each)).find(row => row >= 0) ?? null
    const inside = (at, half, low, high) =>
      low + half * 2 > high ? (low + high) / 2 : Math.min(Math.max(at, low + half), high - half)
    const [half_x, half_y] = [this.width / scale / 2, this.height / scale / 2]
    const at_x = first === null ? 0 : x[first]
    const at_y = first === null ? y[x.indexOf(Math.min(...x))] : y[first]
    const margin = 20
    this.look_at(inside(at_x, half_x, -margin, width + margin), inside(at_y, half_y, -height - margin, margin), scale)
  }

  look_at(x, y, scale) {
    const [half_x, half_y] = [this.width / scale / 2, this.height / scale / 2]
    this.plot.x_range.setv({start: x - half_x, end: x + half_x})
    this.plot.y_range.setv({start: y - half_y, end: y + half_y})
    this.moved()
  }

  // Texts and lines grow with the boxes; what could not be read is left out.
  moved() {
    if (!this.width) return
    const scale = this.scale
    const marks = Math.round(scale * 24)
    if (marks === this.marks) return
    this.marks = marks
    const steps = marks / 24
    const size = (glyph, pixels) => { glyph.text_font_size = {value: `${Math.round(pixels * 2) / 2}px`} }
    this.names.visible = scale >= NAMES
    this.details.visible = scale >= DETAILS
    size(this.names.glyph, 13 * steps)
    size(this.details.glyph, 11 * steps)
    this.names.glyph.y.transform.value = this.details.visible ? 8 : 0
    this.icons.glyph.x.transform.value = this.names.visible ? this.iconAt : 0
    this.icons.visible = this.hands.visible = scale >= ICONS
    this.icons.glyph.size = {value: 17 * steps}
    this.icons.glyph.line_width = {value: 2 * steps}
    this.hands.glyph.size = {value: 12 * steps}
    this.hands.glyph.line_width = {value: 1.5 * steps}
    this.arrows.glyph.size = {value: Math.min(12, Math.max(3, 9 * steps))}
    this.edges.glyph.line_width = {value: Math.min(2, Math.max(0.7, 1.5 * steps))}
    const is_far = scale < ICONS
    if (is_far !== this.is_far) {
      this.is_far = is_far
      this.fillColours.palette = is_far ? this.theme.line : this.theme.fill
    }
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
