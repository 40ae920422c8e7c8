// Where one looks at a drawing of boxes. Scales are in screen pixels for a pixel of the layout.
const LARGEST = 2 // the limit of zooming in
const ALL = 0.68, READABLE = 0.8 // a drawing that would be smaller than ALL as a whole begins READABLE instead

class Sight {
  // `bounds` tells what there is to see: {left, right, low, high}. `moved` is called after every change.
  constructor(plot, bounds, moved) {
    Object.assign(this, {plot, bounds, moved})
    this.width = 0
  }

  get scale() {
    return this.width / (this.plot.x_range.end - this.plot.x_range.start)
  }

  get middle() {
    const {x_range, y_range} = this.plot
    return [(x_range.start + x_range.end) / 2, (y_range.start + y_range.end) / 2]
  }

  // After the plot has got a size; true for its first.
  resized() {
    const {inner_width, inner_height} = this.plot.properties
    const [width, height] = [inner_width, inner_height].map(each => each.is_unset ? 0 : each.get_value())
    if (!width || !height) return false
    const is_first = !this.width
    const [[x, y], scale] = [this.middle, is_first ? 1 : this.scale]
    Object.assign(this, {width, height})
    this.limit()
    if (!is_first) this.look_at(x, y, scale)
    return is_first
  }

  // How far one can go away and come near.
  limit() {
    const smallest = Math.min(0.5, this.scale_of_all() * 0.8)
    const {x_range, y_range} = this.plot
    x_range.setv({min_interval: this.width / LARGEST, max_interval: this.width / smallest})
    y_range.setv({min_interval: this.height / LARGEST, max_interval: this.height / smallest})
  }

  scale_of_all() {
    const {left, right, low, high} = this.bounds()
    return Math.min(1, this.width / (right - left + 32), this.height / (high - low + 32))
  }

  show_all() {
    const {left, right, low, high} = this.bounds()
    this.look_at((left + right) / 2, (low + high) / 2, this.scale_of_all())
  }

  // A point in the middle, and as little as can be of the empty space around the drawing.
  show(x, y, scale = READABLE) {
    const {left, right, low, high} = this.bounds()
    const inside = (at, half, low, high) =>
      low + half * 2 > high ? (low + high) / 2 : Math.min(Math.max(at, low + half), high - half)
    const [half_x, half_y] = [this.width / scale / 2, this.height / scale / 2]
    const margin = 20
    this.look_at(
      inside(x, half_x, left - margin, right + margin), inside(y, half_y, low - margin, high + margin), scale)
  }

  // Move only as far as it takes until a box of this size around the point is in sight.
  reveal(x, y, across, up) {
    const nearer = (middle, at, half, most) =>
      half > most ? at : Math.min(Math.max(middle, at - most + half), at + most - half)
    const {scale, middle} = this
    const [to_x, to_y] = [
      nearer(middle[0], x, across / 2, this.width / scale / 2), nearer(middle[1], y, up / 2, this.height / scale / 2)]
    if (to_x !== middle[0] || to_y !== middle[1]) this.look_at(to_x, to_y, scale)
  }

  look_at(x, y, scale = this.scale) {
    if (!this.width) return
    const [half_x, half_y] = [this.width / scale / 2, this.height / scale / 2]
    this.plot.x_range.setv({start: x - half_x, end: x + half_x})
    this.plot.y_range.setv({start: y - half_y, end: y + half_y})
    this.moved()
  }
}

