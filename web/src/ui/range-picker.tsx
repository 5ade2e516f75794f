import { Calendar } from 'lucide-react'
import { Popover } from 'radix-ui'
import { useState } from 'react'
import type { Preset, Range } from '@/lib/time-range'
import { presets, resolve } from '@/lib/time-range'
import { Button } from './button'
import { Field, Input, Segments } from './form'

/** A time as <input type="datetime-local"> wants it: local, to the minute. */
function localInput(ms: number): string {
  const date = new Date(ms)
  return new Date(ms - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16)
}

/** Presets that move with the clock, and a custom span that does not. */
export function RangePicker({ range, onChange }: { range: Range; onChange: (range: Range) => void }) {
  const options = presets.map((p) => ({ value: p.key as Preset | 'custom', label: p.label, title: p.long }))
  return (
    <div className="flex min-w-0 items-center gap-2">
      <Segments
        label="Time range"
        value={range.preset}
        options={options}
        onChange={(preset) => preset !== 'custom' && onChange({ preset })}
      />
      <CustomRange range={range} onChange={onChange} />
    </div>
  )
}

function CustomRange({ range, onChange }: { range: Range; onChange: (range: Range) => void }) {
  const [open, setOpen] = useState(false)
  const [start, setStart] = useState('')
  const [end, setEnd] = useState('')
  const show = (next: boolean) => {
    if (next) {
      const span = resolve(range, Date.now())
      setStart(localInput(span.start))
      setEnd(localInput(span.end))
    }
    setOpen(next)
  }
  const from = Date.parse(start)
  const to = Date.parse(end)
  const backwards = Number.isFinite(from) && Number.isFinite(to) && to <= from
  const chosen = range.preset === 'custom'
  return (
    <Popover.Root open={open} onOpenChange={show}>
      <Popover.Trigger asChild>
        <Button aria-label="Custom time range" title="Custom time range" className={chosen ? 'border-accent text-accent' : ''}>
          <Calendar />
          <span className="hidden sm:inline">Custom</span>
        </Button>
      </Popover.Trigger>
      <Popover.Portal>
        <Popover.Content
          align="end"
          sideOffset={6}
          collisionPadding={12}
          aria-label="Custom time range"
          className="z-50 w-72 animate-[appear_100ms_ease-out] rounded-[10px] border border-line bg-raised p-4 shadow-pop"
        >
          <form
            className="space-y-3"
            onSubmit={(event) => {
              event.preventDefault()
              onChange({ preset: 'custom', start: from, end: to })
              setOpen(false)
            }}
          >
            <Field label="From">
              {(props) => <Input {...props} type="datetime-local" required value={start} onChange={(e) => setStart(e.target.value)} />}
            </Field>
            <Field label="To" error={backwards ? 'must be after the start' : undefined}>
              {(props) => <Input {...props} type="datetime-local" required value={end} onChange={(e) => setEnd(e.target.value)} />}
            </Field>
            <Button type="submit" look="primary" className="w-full" disabled={backwards}>
              Show
            </Button>
          </form>
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  )
}
