/** Round numbers that cover a span, about so many of them. */
export function ticks(min: number, max: number, about: number): number[] {
  if (!(max > min)) return [min]
  const rough = (max - min) / Math.max(1, about)
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = [1, 2, 5, 10].map((digit) => digit * power).find((size) => size >= rough) ?? 10 * power
  const first = Math.ceil(min / step - 1e-9)
  const last = Math.floor(max / step + 1e-9)
  // Multiplied, not added up: 0.1 + 0.2 is no round number.
  return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)))
}

/** Lines through the known points, with gaps where a value is missing. */
export function linePath(points: ({ x: number; y: number } | null)[]): string {
  let pen = 'M'
  return points
    .map((point) => {
      if (!point) {
        pen = 'M'
        return ''
      }
      const part = `${pen}${point.x.toFixed(1)} ${point.y.toFixed(1)}`
      pen = 'L'
      return part
    })
    .join('')
}
