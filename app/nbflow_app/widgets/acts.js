// What a hand does while it is down: one of these from the first pixel of a drag to its end. Each moves what it must on
// the screen, and only at its end asks for a change.

// Move where one looks.
class Panning {
  constructor(canvas, from) {
    Object.assign(this, {canvas, from})
    this.middle = canvas.sight.middle
  }

  move({px, py}) {
    const {sight} = this.canvas
    sight.look_at(
      this.middle[0] - (px - this.from.px) / sight.scale, this.middle[1] + (py - this.from.py) / sight.scale)
  }

  end() {}
  cancel() {}
}

// Move tasks. What is under the hand goes to the grid, the others go with it.
class Moving {
  constructor(canvas, from, held) {
    Object.assign(this, {canvas, from, held})
    this.places = Object.fromEntries(canvas.names.map(name => [name, canvas.board.place(name)]))
  }

  move({x, y}) {
    const start = this.places[this.held]
    const [across, up] = [snapped(start.x + x - this.from.x) - start.x, snapped(start.y + y - this.from.y) - start.y]
    this.is_moved = Boolean(across || up)
    this.canvas.move(Object.fromEntries(
      Object.entries(this.places).map(([name, place]) => [name, {x: place.x + across, y: place.y + up}])))
  }

  end() {
    this.canvas.settle()
    if (this.is_moved) this.canvas.ask(this.canvas.moves(Object.keys(this.places)))
  }

  cancel() {
    this.canvas.move(this.places)
    this.canvas.settle()
  }
}

// Draw an edge from the port of a task to another.
class Linking {
  constructor(canvas, up) {
    Object.assign(this, {canvas, up})
    this.down = null
  }

  move({x, y}) {
    const {board} = this.canvas
    const found = board.task_at(x, y) ?? board.task_at(x + 12, y) // the arrow ends before the box
    this.aim(found, {x, y})
  }

  aim(down, at = null) {
    this.down = down === this.up ? null : down
    this.cycle = this.down && this.canvas.board.cycle(this.up, this.down)
    this.canvas.band(this.up, this.down ? this.canvas.board.place(this.down) : at, this.down, Boolean(this.cycle))
  }

  end() {
    this.cancel()
    const {up, down, cycle, canvas} = this
    if (!down) return
    if (cycle) canvas.say(`Not connected: ${cycle.join(" → ")} would be a cycle.`)
    else if (canvas.board.is_edge(up, down)) canvas.say(`${down} already runs after ${up}.`)
    else canvas.connect(up, down)
  }

  cancel() {
    this.canvas.band(null)
    this.canvas.light(null)
  }
}

// Choose the tasks in a rectangle, beside those that are chosen.
class Choosing {
  constructor(canvas, from) {
    Object.assign(this, {canvas, from})
    this.before = canvas.names
  }

  move({x, y}) {
    const [left, right] = [this.from.x, x].toSorted((a, b) => a - b)
    const [low, high] = [this.from.y, y].toSorted((a, b) => a - b)
    this.canvas.lasso.setv({left, right, bottom: low, top: high, visible: true})
    this.canvas.choose([...new Set([...this.before, ...this.canvas.board.within(left, right, low, high)])])
  }

  end() {
    this.canvas.lasso.visible = false
  }

  cancel() {
    this.end()
    this.canvas.choose(this.before)
  }
}

