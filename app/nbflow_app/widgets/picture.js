// How the board looks: columns of texts and colours beside its places, for the glyphs of canvas.py.
//
// All tasks and edges lie at the bottom, and change with a sheet only. What is chosen, aimed at or moved is drawn once
// more on top, a layer that Bokeh paints by itself: a frame of a drag must not cost what all tasks cost.
const CURVE = ["x0", "y0", "cx0", "cy0", "cx1", "cy1", "x1", "y1"]
const TASK = ["boxes", "icons", "names", "details", "ports", "badges", "counts"]

const top_of = name => `top${name[0].toUpperCase()}${name.slice(1)}`
const curves = parts => Object.fromEntries(CURVE.map((name, part) => [name, parts[part]]))
const taken = (columns, rows) => Object.fromEntries(
  Object.entries(columns).map(([name, column]) => [name, rows.map(row => column[row])]))

class Picture {
  constructor(drawn, board) {
    Object.assign(this, drawn, {drawn, board})
    this.theme = null
    this.chosen = {names: [], edge: null}
    this.aimed = null // {name, is_bad}: the task at the end of an edge that is being drawn
    this.held = [] // the names of tasks that are being moved
    this.ink = document.createElement("canvas").getContext("2d")
    this.texts = new Map()
  }

  paint(theme) {
    this.theme = theme
    const value = colour => ({value: colour})
    this.edges.glyph.line_color = value(theme.arrow)
    this.arrows.glyph.fill_color = value(theme.arrow)
    this.chosenEdge.glyph.line_color = this.chosenArrow.glyph.fill_color = value(theme.accent)
    this.names.glyph.text_color = value(theme.text)
    this.details.glyph.text_color = value(theme.dim)
    this.ports.glyph.setv({fill_color: value(theme.paper), line_color: value(theme.arrow)})
    this.lit.glyph.fill_color = value(theme.accent)
    this.counts.glyph.text_color = this.badges.glyph.line_color = value(theme.paper)
    this.lasso.setv({line_color: theme.accent, fill_color: theme.accent})
  }

  // --- the bottom ---

  // A sheet, or how a run of it stands: {task: {state, took, why}}.
  draw({problems}, run) {
    const {board} = this
    const rows = board.tasks.map(task => this.row(task, run?.[task.name], problems.filter(each => each.task === task.name)))
    const columns = Object.keys(this.row({name: ""}, null, [])).map(name => [name, rows.map(row => row[name])])
    this.held = []
    this.boxes.data_source.data = {x: board.x.slice(), y: board.y, name: board.names, ...Object.fromEntries(columns)}
    this.arrows.data_source.data = {...board.ends, x: board.ends.x.slice()}
    this.edges.data_source.data = {...curves(board.pieces), x0: board.pieces[0].slice()}
    this.draw_telling()
    this.draw_top()
  }

  row(task, run, problems) {
    const {theme} = this
    const of = state => this.stateNames.indexOf(state)
    const worst = problems.some(problem => problem.severity === "error") ? "failed" : "queued"
    const said = run ? [run.state.replace("_", " "), run.took].filter(Boolean).join(" · ") : task.detail || task.notebook
    return {
      label: this.fitted(task.name, `bold ${this.nameSize}px`),
      detail: this.fitted(said ?? "", `${this.detailSize}px`),
      why: run ? run.why ?? "" : problems.map(problem => problem.message).join("\n"),
      icon: run ? `@${run.state}` : "@notebook",
      line: run ? theme.line[of(run.state)] : theme.dim,
      icon_line: run ? theme.line[of(run.state)] : theme.dim,
      width: 1.6,
      fill: run ? theme.fill[of(run.state)] : theme.raised,
      solid: run ? theme.solid[of(run.state)] : "#00000000",
      dash: task.kept?.length && !run ? "dashed" : "solid",
      problems: !run && task.problems ? `${task.problems}` : "",
      mark: !run && task.problems ? 1 : 0,
      badge: theme.line[of(worst)],
    }
  }

  // Tasks are being moved: they are on top alone, until `settle`.
  follow(names) {
    if (String(names) !== String(this.held)) {
      this.settle()
      this.hold(names)
    }
    this.draw_top()
  }

  hold(names) {
    this.held = names
    for (const name of names) this.boxes.data_source.data.x[this.board.row.get(name)] = NaN
    for (const edge of this.held_edges()) {
      this.arrows.data_source.data.x[edge] = NaN
      for (const row of rows_of(edge)) this.edges.data_source.data.x0[row] = NaN
    }
    this.changed()
  }

  settle() {
    if (!this.held.length) return
    this.held = []
    this.boxes.data_source.data.x.set(this.board.x)
    this.arrows.data_source.data.x.set(this.board.ends.x)
    this.edges.data_source.data.x0.set(this.board.pieces[0])
    this.changed()
    this.draw_telling()
    this.draw_top()
  }

  // Where a mouse that rests is told more than is written there: why, or the whole of a name.
  draw_telling() {
    const {data} = this.boxes.data_source
    const rows = [...data.name.keys()].filter(row => data.why[row] || data.label[row] !== data.name[row])
    this.fill(this.telling, taken({x: this.board.x, y: this.board.y, name: data.name, why: data.why}, rows))
  }

  changed() {
    for (const each of [this.boxes, this.arrows, this.edges]) each.data_source.change.emit()
  }

  held_edges() {
    return [...new Set(this.held.flatMap(name => this.board.near.get(name)))]
  }

  // --- the top ---

  choose(names, edge) {
    this.chosen = {names, edge}
    this.draw_top()
  }

  draw_top() {
    if (!this.theme) return
    const {board, chosen, aimed, theme} = this
    const names = [...new Set([...chosen.names, ...this.held, ...aimed ? [aimed.name] : []])].filter(name => board.has(name))
    const rows = names.map(name => board.row.get(name))
    const bad = theme.line[this.stateNames.indexOf("failed")]
    this.fill(this.topBoxes, {
      ...taken({...this.boxes.data_source.data, x: board.x}, rows),
      line: names.map(name => aimed?.name === name && aimed.is_bad ? bad : theme.accent), width: names.map(() => 3),
    })
    const edges = this.held_edges()
    this.fill(this.topEdges, taken(curves(board.pieces), edges.flatMap(rows_of)))
    this.fill(this.topArrows, taken(board.ends, edges))
    const edge = chosen.edge ? board.edge_rows(...chosen.edge) : []
    this.fill(this.chosenEdge, taken(curves(board.pieces), edge.flatMap(rows_of)))
    this.fill(this.chosenArrow, taken(board.ends, edge))
  }

  // Nothing in the place of nothing is no change.
  fill(renderer, data) {
    const {data_source: source} = renderer
    const length = columns => Object.values(columns)[0].length
    if (length(data) || length(source.data)) source.data = data
  }

  // The edge that is being drawn, from the port of a task to another's place or to where the hand is.
  band(up, at, down, is_bad) {
    this.aimed = down ? {name: down, is_bad} : null
    const half = this.boxSize[0] / 2
    const from = up && this.board.place(up)
    const way = !up || !at ? [] : down ? route(from, at, this.boxSize, []) : [bend(from.x + half, from.y, at.x, at.y)]
    const colour = is_bad ? this.theme.line[this.stateNames.indexOf("failed")] : this.theme.accent
    this.rubber.glyph.line_color = this.tip.glyph.fill_color = {value: colour}
    this.rubber.data_source.data = curves(CURVE.map((_, part) => way.map(piece => piece[part])))
    this.tip.data_source.data = {x: way.length ? [way.at(-1)[6] + 2] : [], y: way.length ? [way.at(-1)[7]] : []}
    this.draw_top()
  }

  // The port that is pointed at.
  light(name) {
    const at = name === null ? {x: [], y: []} : {x: [this.board.place(name).x], y: [this.board.place(name).y]}
    this.fill(this.lit, at)
  }

  // --- both ---

  grow(scale) {
    const steps = grow(this.drawn, scale)
    if (steps === null) return
    this.ports.visible = this.badges.visible = this.icons.visible
    this.counts.visible = this.names.visible
    for (const name of TASK) this[top_of(name)].visible = this[name].visible
    this.boxes.glyph.fill_color = {field: scale < ICONS ? "line" : "fill"}
    this.ports.glyph.size = {value: 12 * steps}
    this.lit.glyph.size = {value: 14 * steps}
    this.chosenArrow.glyph.size = this.arrows.glyph.size
    this.tip.glyph.size = {value: 10 * steps}
    this.badges.glyph.size = {value: 18 * steps}
    this.counts.glyph.text_font_size = {value: `${Math.round(22 * steps) / 2}px`}
  }

  // The text, or its beginning and its end around an ellipsis.
  fitted(text, font) {
    const known = `${font} ${text}`
    if (!this.texts.has(known)) {
      this.ink.font = `${font} ${this.font}`
      const fits = each => this.ink.measureText(each).width <= this.textWidth
      let shown = text
      for (let kept = text.length - 1; kept > 1 && !fits(shown); kept--) {
        shown = `${text.slice(0, (kept + 1) >> 1)}…${text.slice(text.length - (kept >> 1))}`
      }
      this.texts.set(known, shown)
    }
    return this.texts.get(known)
  }

  get spots() {
    const {x, y, names} = this.board
    const chosen = new Set(this.chosen.names)
    const {line} = this.boxes.data_source.data
    return {x, y, colour: row => chosen.has(names[row]) ? this.theme.accent : line[row]}
  }
}
