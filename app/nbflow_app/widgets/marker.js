// An icon on a 16 × 16 grid as a marker of Bokeh's Scatter: a path around the origin, as large as the marker.
let path = null
let size = 0
export default (args, _glyph, {r}) => {
  if (path === null || size !== r) {
    const scale = r / 8
    path = new Path2D()
    path.addPath(new Path2D(args.path), new DOMMatrix([scale, 0, 0, scale, -r, -r]))
    size = r
  }
  return path
}
