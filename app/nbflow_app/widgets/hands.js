// Mouse, pen and finger on the canvas. Bokeh's own gestures take no drag that begins with a hand held still, so only
// wheel and pinch are left to it.
const FIRM = {mouse: 4, touch: 9} // pixels that a hand may tremble
const TWICE = 320, HOLD = 450 // milliseconds of a finger: between the taps of a double tap; held still
const NEVER = {time: -Infinity}

class Hands {
  constructor(canvas, element) {
    Object.assign(this, {canvas, element})
    this.down = new Set()
    this.start = this.act = this.latest = this.seen = null
    this.last = NEVER // the tap before
    const listen = (name, hear) => element.addEventListener(name, event => hear.call(this, event))
    listen("pointerdown", this.press)
    listen("pointermove", this.drag)
    listen("pointerup", this.release)
    listen("pointercancel", this.lose)
    listen("dblclick", this.click_twice)
    for (const name of ["mousedown", "contextmenu"]) listen(name, event => event.preventDefault())
    element.tabIndex = -1 // the keys are those of the whole place
    element.style.touchAction = "none" // else fingers scroll the page, for Bokeh knows of no tool that drags
  }

  at(event) {
    const {left, top} = this.element.getBoundingClientRect()
    return this.canvas.point(event.clientX - left, event.clientY - top)
  }

  press(event) {
    if (event.button || event.composedPath()[0] !== this.element) return
    this.down.add(event.pointerId)
    this.cancel()
    if (this.down.size > 1) return // a pinch, which is Bokeh's
    const {canvas} = this
    const at = this.at(event)
    const is_touch = event.pointerType === "touch"
    const port = canvas.board.port_at(at.x, at.y, Math.max(13, (is_touch ? 18 : 10) / canvas.sight.scale))
    this.start = {...at, is_touch, port, task: canvas.board.task_at(at.x, at.y), is_more: event.shiftKey}
    if (is_touch) this.holding = setTimeout(() => this.hold(), HOLD)
    canvas.focus()
    getSelection().removeAllRanges() // as a press elsewhere does
  }

  // A finger held still is what a mouse with the shift key is.
  hold() {
    this.start.is_more = this.start.is_held = true
    navigator.vibrate?.(10)
    if (this.start.task) this.canvas.toggle(this.start.task)
  }

  drag(event) {
    if (!this.start) {
      if (!this.down.size) this.point(event)
      return
    }
    const at = this.at(event)
    const far = Math.hypot(at.px - this.start.px, at.py - this.start.py)
    if (!this.act && far <= FIRM[this.start.is_touch ? "touch" : "mouse"]) return
    clearTimeout(this.holding)
    this.act ??= this.begin()
    this.latest = at
    this.frame ??= requestAnimationFrame(() => this.follow())
  }

  // The act follows the hand once a frame.
  follow() {
    cancelAnimationFrame(this.frame)
    this.frame = null
    if (this.act && this.latest) this.act.move(this.latest)
    this.seen = this.latest ?? this.seen
    this.latest = null
  }

  // Tasks lie elsewhere: what the hand does is done on them.
  again() {
    if (this.act && this.seen) this.act.move(this.seen)
  }

  begin() {
    const {canvas, start} = this
    canvas.hover.active = false
    if (start.port) return new Linking(canvas, start.port)
    if (start.task) {
      if (!canvas.names.includes(start.task)) start.is_more ? canvas.toggle(start.task) : canvas.choose([start.task])
      return new Moving(canvas, start, start.task)
    }
    return start.is_more ? new Choosing(canvas, start) : new Panning(canvas, start)
  }

  release(event) {
    this.down.delete(event.pointerId)
    const {act, start} = this
    if (!start) return
    clearTimeout(this.holding)
    if (act) this.follow()
    this.start = this.act = this.seen = null
    this.canvas.hover.active = true
    if (act) {
      this.last = NEVER
      act.end()
    } else if (!start.is_held) this.tap(start, event.timeStamp)
  }

  tap(at, time) {
    const {canvas, last} = this
    const is_double = at.is_touch && time - last.time < TWICE && Math.hypot(at.px - last.px, at.py - last.py) < 12
    this.last = is_double ? NEVER : {...at, time}
    if (is_double) return this.open(at)
    if (at.task) return at.is_more ? canvas.toggle(at.task) : canvas.choose([at.task])
    if (!at.is_more) canvas.choose([], canvas.board.edge_at(at.x, at.y, (at.is_touch ? 16 : 8) / canvas.sight.scale))
  }

  // How fast a mouse must be for it, people tell their system.
  click_twice(event) {
    if (this.last === NEVER || this.last.is_touch || event.composedPath()[0] !== this.element) return
    const at = this.at(event)
    this.open({...at, task: this.canvas.board.task_at(at.x, at.y)})
  }

  open(at) {
    at.task ? this.canvas.open(at.task) : this.canvas.add(at)
  }

  lose(event) {
    this.down.delete(event.pointerId)
    this.cancel()
  }

  // As if nothing had been done.
  cancel() {
    clearTimeout(this.holding)
    this.act?.cancel()
    this.start = this.act = this.latest = this.seen = null
    this.canvas.hover.active = true
  }

  // Where a mouse only points.
  point(event) {
    const {board, sight} = this.canvas
    const {x, y} = this.at(event)
    const port = board.port_at(x, y, Math.max(13, 10 / sight.scale))
    this.canvas.light(port)
    this.element.style.cursor = port ? "crosshair" : board.task_at(x, y) ? "move" : "default"
  }
}

