// The canvas of the editor. It shows sheets, and tells the document what hands ask for; it changes no pipeline itself.
// Events: nbflow-canvas (it is there), nbflow-edit {commands}, nbflow-open {task}, nbflow-add {place},
// nbflow-select {names, edge}, nbflow-say {text}, nbflow-undo, nbflow-redo.

// Kept at the plot: two events at once make Bokeh compile this module twice.
export default (args, from, data, {index}) => {
  args.plot.canvas ??= new Canvas(args, index.find_one(args.plot))
  args.plot.canvas.hear(from)
}

const tell = (name, detail = {}) => document.dispatchEvent(new CustomEvent(`nbflow-${name}`, {detail}))

class Canvas {
  constructor(args, view) {
    Object.assign(this, args, {view, names: [], edge: null, sheet: null, run: null, lit_port: null})
    this.awaited = null // the names of tasks that were asked for, and will be chosen
    this.drawn = null // the edge that was asked for last
    this.place = place_of(view)
    this.board = new Board(args.boxSize)
    this.picture = new Picture(args, this.board)
    this.sight = new Sight(args.plot, () => this.board.bounds(), () => this.moved())
    this.minimap = new Minimap(view, this.sight, () => this.picture.spots, args.boxSize)
    this.hands = new Hands(this, view.canvas_view.events_el)
    this.keys = new Keys(this, this.place)
    this.voice = document.createElement("div")
    this.voice.className = "nb-unseen"
    this.voice.setAttribute("role", "status")
    this.place.append(this.voice)
    view.canvas_view.overlays.el.style.clipPath = "inset(2px)" // Bokeh clears no overlay's first column
    follow_theme(args.themes, theme => this.paint(theme))
    window.nbflow = Object.assign(window.nbflow ?? {}, {canvas: this})
    tell("canvas")
  }

  hear(from) {
    if (from === this.plot) this.resized()
    else if (from === this.plot.x_range) this.moved()
    else if (from === this.fit) this.sight.show_all()
  }

  // --- what the page asks ---

  // Draw a sheet. What is chosen stays so by its name, also under a new one, and a hand that is down goes on.
  show(sheet) {
    const is_first = this.sheet === null
    const before = this.board.names
    this.sheet = sheet
    this.board.put(sheet)
    const now = name => this.board.renamed(name, before)
    this.names = this.names.map(now)
    this.edge &&= this.edge.map(now)
    this.draw()
    this.choose_again()
    this.hands.again()
    if (!this.sight.width) return
    this.sight.limit()
    if (is_first) this.begin()
    else this.follow_edge()
  }

  get selected() {
    return this.edge ?? this.names
  }

  // Choose tasks by name, and bring the first into sight.
  select(names) {
    this.choose(names.filter(name => this.board.has(name)))
    if (this.names.length) this.reveal(this.names[0])
  }

  // Colour the boxes by how a run stands: {task: {state, took, why}}; null is for the editor's own colours.
  states(run) {
    this.run = run
    this.draw()
  }

  // --- what is chosen, and where one looks ---

  choose(names, edge = null) {
    const is_same = String(names) === String(this.names) && String(edge) === String(this.edge)
    Object.assign(this, {names: [...names], edge, awaited: null})
    this.picture.choose(this.names, edge)
    this.minimap.draw()
    if (is_same) return
    tell("select", {names: this.names, edge})
  }

  choose_again() {
    const {awaited, board, edge} = this
    if (awaited?.every(name => board.has(name))) return this.choose(awaited)
    this.choose(this.names.filter(name => board.has(name)), edge && board.is_edge(...edge) ? edge : null)
    this.awaited = awaited
  }

  toggle(name) {
    this.choose(this.names.includes(name) ? this.names.filter(each => each !== name) : [...this.names, name])
  }

  reveal(name) {
    const {x, y} = this.board.place(name)
    this.sight.reveal(x, y, ...this.boxSize.map(each => each + 40))
  }

  focus() {
    this.place.focus({preventScroll: true})
  }

  // A point of the drawing by its pixels.
  point(px, py) {
    const {x_scale, y_scale} = this.view.frame
    return {px, py, x: x_scale.invert(px), y: y_scale.invert(py)}
  }

  // The place in the manifest of a point of the window; null beside the canvas.
  place_under(client_x, client_y) {
    const {left, right, top, bottom} = this.hands.element.getBoundingClientRect()
    const is_inside = client_x > left && client_x < right && client_y > top && client_y < bottom
    return is_inside ? spot(this.point(client_x - left, client_y - top)) : null
  }

  // Where one more task can stand: in sight, if tasks are placed by hand; null where the layout finds it a place.
  free_place() {
    const [x, y] = this.sight.middle
    return this.sheet?.tasks.some(task => task.placed) ? spot(this.board.free(x, y)) : null
  }

  resized() {
    if (this.sight.resized() && this.sheet) this.begin()
  }

  // All of it where it can be read, else where it begins.
  begin() {
    if (this.sight.scale_of_all() >= ALL) this.sight.show_all()
    else this.sight.show(this.board.bounds().left, this.board.y[this.board.x.indexOf(Math.min(...this.board.x))])
  }

  moved() {
    if (!this.sight.width) return
    this.picture.grow(this.sight.scale)
    this.minimap.draw()
  }

  // --- what is drawn ---

  paint(theme) {
    this.picture.paint(theme)
    this.minimap.draw(theme)
    this.draw()
  }

  draw() {
    if (!this.sheet) return
    this.picture.draw(this.sheet, this.run)
    this.minimap.draw()
  }

  // Put tasks at places {name: {x, y}} while a hand or a key is down; `settle` when it is not any more.
  move(places) {
    this.board.move(places)
    this.picture.follow(Object.keys(places).filter(name => this.board.has(name)))
  }

  settle() {
    this.picture.settle()
    this.minimap.draw()
  }

  band(...drawn) {
    this.picture.band(...drawn)
  }

  light(port) {
    if (port === this.lit_port) return
    this.lit_port = port
    this.picture.light(port)
  }

  // --- what is asked of the page ---

  ask(commands) {
    if (commands.length) tell("edit", {commands})
  }

  open(task) {
    tell("open", {task})
  }

  add(at) {
    tell("add", {place: spot(at)})
  }

  say(text) {
    tell("say", {text})
  }

  // For those who do not see.
  announce(text) {
    this.voice.textContent = text
  }

  told_of(name) {
    const {detail, problems} = this.board.tasks[this.board.row.get(name)]
    const ups = this.board.upstreams(name)
    const said = [
      name, this.run?.[name]?.state.replace("_", " "), detail, ups.length ? `after ${ups.join(", ")}` : "first",
      problems ? `${problems} ${problems === 1 ? "problem" : "problems"}` : ""]
    return said.filter(Boolean).join(", ")
  }

  connect(up, down) {
    this.drawn = [up, down]
    this.ask([{do: "connect", up, down}])
  }

  // A task that no hand has placed may stand elsewhere with a new edge: whoever drew it goes on to see it.
  follow_edge() {
    if (!this.drawn || !this.board.is_edge(...this.drawn)) return
    this.reveal(this.drawn[1])
    this.drawn = null
  }

  moves(names) {
    const known = names.filter(name => this.board.has(name))
    return known.map(name => ({do: "move_task", name, position: this.board.position(name)}))
  }

  remove() {
    if (this.edge) this.ask([{do: "disconnect", up: this.edge[0], down: this.edge[1]}])
    else this.ask(this.names.map(name => ({do: "remove_task", name})))
  }

  // The copies run after the copies of what they ran after.
  duplicate() {
    const copies = this.board.copies(this.names)
    const drop = this.boxSize[1] + 2 * GRID
    const commands = []
    for (const [name, copy] of copies) {
      const [x, y] = this.board.position(name)
      commands.push({do: "duplicate_task", name, copy, position: [x + 2 * GRID, y + drop]})
    }
    for (const [name, copy] of copies) {
      for (const up of this.board.upstreams(name).filter(up => copies.has(up))) {
        commands.push({do: "disconnect", up, down: copy}, {do: "connect", up: copies.get(up), down: copy})
      }
    }
    this.awaited = [...copies.values()]
    this.ask(commands)
  }
}

// A point of the drawing as a manifest has it.
const spot = ({x, y}) => [snapped(x), snapped(-y)]

// The element of the page that a drawing stands in.
const place_of = view => {
  let element = view.el
  while (element.getRootNode() instanceof ShadowRoot) element = element.getRootNode().host
  return element.closest("[data-drawing]") ?? element.parentElement
}
