// The keyboard on the canvas. What changes is said aloud: arrows alone move what is chosen, with Ctrl they go from task
// to task, and after C they aim a new edge.
const ARROWS = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1]}

class Keys {
  constructor(canvas, place) {
    this.canvas = canvas
    this.link = null // an edge that is being aimed
    this.moved = null // names that arrows have moved, until the key is let go
    place.tabIndex = 0
    place.setAttribute("role", "application")
    place.setAttribute("aria-label", "Canvas of the tasks. Ctrl with arrows goes from task to task, Enter opens one, " +
      "C connects it to another, arrows move it, Delete takes it out.")
    place.addEventListener("keydown", event => this.press(event))
    place.addEventListener("keyup", event => event.key in ARROWS && this.settle())
    place.addEventListener("blur", () => this.settle())
  }

  press(event) {
    if (event.altKey || event.target !== event.currentTarget) return
    const done = event.ctrlKey || event.metaKey ? this.command(event) : this.act(event)
    if (done) {
      event.preventDefault()
      event.stopPropagation()
    }
  }

  command(event) {
    const {canvas} = this
    const act = {
      a: () => canvas.choose(canvas.board.names),
      d: () => canvas.duplicate(),
      z: () => tell(event.shiftKey ? "redo" : "undo"),
      y: () => tell("redo"),
    }[event.key.toLowerCase()] ?? (event.key in ARROWS ? () => this.go(ARROWS[event.key]) : null)
    act?.()
    return Boolean(act)
  }

  act(event) {
    const {canvas} = this
    if (event.key in ARROWS) {
      const arrow = ARROWS[event.key]
      if (this.link || !canvas.names.length) this.go(arrow)
      else this.nudge(arrow)
      return true
    }
    const act = {
      Delete: () => canvas.remove(),
      Backspace: () => canvas.remove(),
      Enter: () => this.link ? this.connect() : canvas.names.length === 1 && canvas.open(canvas.names[0]),
      Escape: () => this.stop(),
      c: () => this.aim(),
    }[event.key]
    act?.()
    return Boolean(act)
  }

  // To the next task in this direction, or the first of all.
  go(arrow) {
    const {canvas} = this
    const {board} = canvas
    if (!board.names.length) return
    const from = this.link?.down ?? canvas.names.at(-1)
    const found = from === undefined ? board.next({x: -1e9, y: board.y[0]}, [1, 0]) : board.next(board.place(from), arrow)
    if (!found) return
    if (this.link) this.link.aim(found)
    else canvas.choose([found])
    canvas.reveal(found)
    canvas.announce(this.link ? this.told_of_link() : canvas.told_of(found))
  }

  nudge([right, up]) {
    const {canvas} = this
    const [across, high] = [right * GRID, up * GRID]
    canvas.move(Object.fromEntries(canvas.names.map(name => {
      const {x, y} = canvas.board.place(name)
      return [name, {x: x + across, y: y + high}]
    })))
    this.moved = canvas.names
  }

  settle() {
    if (!this.moved) return
    this.canvas.settle()
    this.canvas.ask(this.canvas.moves(this.moved))
    this.moved = null
  }

  // --- an edge by keys ---

  aim() {
    const {canvas} = this
    if (canvas.names.length !== 1) return canvas.announce("Choose one task first.")
    this.link = new Linking(canvas, canvas.names[0])
    canvas.announce(`Which task runs after ${this.link.up}? Arrows choose it, Enter connects, Escape stops.`)
  }

  told_of_link() {
    const {up, down, cycle} = this.link
    return cycle ? `${down} cannot run after ${up}: ${cycle.join(" → ")} would be a cycle.` : `${down} after ${up}?`
  }

  connect() {
    this.link.end()
    this.link = null
  }

  stop() {
    const {canvas} = this
    if (this.link) canvas.announce("Not connected.")
    else if (!canvas.hands.act) canvas.choose([])
    this.link?.cancel()
    this.link = null
    canvas.hands.cancel()
  }
}

