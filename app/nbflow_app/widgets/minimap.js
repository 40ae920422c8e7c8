// A small picture of all boxes with a frame around what is in sight, in a corner of the drawing. A click or a drag in it
// moves the view. It is there only where not everything is in sight, and where a drawing is narrow only if rows are not: it
// would cover the last one.
const MAP = {width: 168, height: 104, margin: 10, border: 8} // at most; less on a phone

class Minimap {
  // `boxes` gives {x, y, colour} of all boxes: columns, and a function of the row.
  constructor(view, sight, boxes, box_size) {
    Object.assign(this, {sight, boxes, box_size})
    this.theme = null
    this.element = document.createElement("canvas")
    this.element.setAttribute("aria-hidden", "true")
    this.element.dataset.minimap = ""
    this.element.style.cssText = `position:absolute;right:${MAP.margin}px;bottom:${MAP.margin}px;z-index:1;` +
      "border-radius:6px;cursor:pointer;touch-action:none;box-shadow:0 1px 6px #0003"
    this.element.style.display = "none"
    view.canvas_view.shadow_el.append(this.element)
    const follow = event => event.buttons && this.look(event)
    this.element.addEventListener("pointerdown", event => {
      this.element.setPointerCapture(event.pointerId)
      follow(event)
    })
    this.element.addEventListener("pointermove", follow)
  }

  // Soon: at most once a frame.
  draw(theme = this.theme) {
    this.theme = theme
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null
      if (this.sight.width) this.paint()
    })
  }

  paint() {
    const {left, right, low, high} = this.sight.bounds()
    const {x_range, y_range} = this.sight.plot
    const [x, y] = [[x_range.start, x_range.end], [y_range.start, y_range.end]]
    const is_narrow = this.sight.width < 480
    const is_enough = (is_narrow || x[0] <= left && right <= x[1]) && y[0] <= low && high <= y[1]
    this.element.style.display = is_enough ? "none" : "block"
    if (is_enough) return
    const most = is_narrow ? 0.65 : 1
    const inside = size => most * size - 2 * MAP.border
    this.scale = Math.min(inside(MAP.width) / (right - left), inside(MAP.height) / (high - low))
    this.left = left - MAP.border / this.scale
    this.high = high + MAP.border / this.scale
    this.size((right - left) * this.scale + 2 * MAP.border, (high - low) * this.scale + 2 * MAP.border)
    this.paint_boxes()
    this.paint_frame(x, y)
  }

  size(width, height) {
    const ratio = devicePixelRatio || 1
    Object.assign(this, {width, height})
    this.element.width = width * ratio
    this.element.height = height * ratio
    Object.assign(this.element.style, {width: `${width}px`, height: `${height}px`})
    this.ink = this.element.getContext("2d")
    this.ink.scale(ratio, ratio)
    this.ink.fillStyle = this.theme.raised
    this.ink.fillRect(0, 0, width, height)
    this.ink.strokeStyle = this.theme.edge
    this.ink.lineWidth = 2
    this.ink.strokeRect(0, 0, width, height)
  }

  paint_boxes() {
    const {x, y, colour} = this.boxes()
    const [across, up] = this.box_size.map(each => Math.max(2, each * this.scale))
    for (let row = 0; row < x.length; row++) {
      this.ink.fillStyle = colour(row)
      this.ink.fillRect(
        (x[row] - this.left) * this.scale - across / 2, (this.high - y[row]) * this.scale - up / 2, across, up)
    }
  }

  paint_frame([left, right], [low, high]) {
    this.ink.strokeStyle = this.theme.accent
    this.ink.lineWidth = 1.5
    const inside = (at, most) => Math.min(Math.max(at * this.scale, 2), most - 2)
    const [x, to_x] = [left, right].map(at => inside(at - this.left, this.width))
    const [y, to_y] = [high, low].map(at => inside(this.high - at, this.height))
    this.ink.strokeRect(x, y, to_x - x, to_y - y)
  }

  look(event) {
    const {left, top} = this.element.getBoundingClientRect()
    this.sight.look_at(this.left + (event.clientX - left) / this.scale, this.high - (event.clientY - top) / this.scale)
  }
}

