/** The shape of a series in a few pixels; decoration beside a number that says it. */
export function Sparkline({ values, colour }: { values: (number | null)[]; colour: string }) {
  const known = values.map((value) => value ?? 0)
  const max = Math.max(...known)
  if (known.length < 2 || max <= 0) return <div className="h-7" />
  const x = (index: number) => (index / (known.length - 1)) * 100
  const y = (value: number) => 27 - (value / max) * 25
  const line = known.map((value, index) => `${index ? 'L' : 'M'}${x(index).toFixed(2)} ${y(value).toFixed(2)}`).join('')
  return (
    <svg aria-hidden viewBox="0 0 100 28" preserveAspectRatio="none" className="h-7 w-full overflow-visible">
      <path d={`${line}L100 28L0 28Z`} fill={`var(${colour})`} opacity=".12" />
      <path d={line} fill="none" stroke={`var(${colour})`} strokeWidth="1.5" vectorEffect="non-scaling-stroke" strokeLinejoin="round" />
    </svg>
  )
}
