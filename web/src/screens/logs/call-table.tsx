import { useWindowVirtualizer } from '@tanstack/react-virtual'
import { clsx } from 'clsx'
import type { KeyboardEvent } from 'react'
import { useEffect, useLayoutEffect, useRef, useState } from 'react'
import type { Call } from '@/lib/api/calls'
import { clock, count, day, duration, usd } from '@/lib/format'
import { Badge, Dot } from '@/ui/bits'

interface Props {
  calls: Call[]
  selected: string
  onOpen: (id: string) => void
  hasMore: boolean
  loadingMore: boolean
  onMore: () => void
}

const columns = 'lg:grid-cols-[9.5rem_6.5rem_minmax(10rem,1fr)_6rem_minmax(6rem,10rem)_8rem_6rem_6rem]'
const rowHeight = { narrow: 68, wide: 42 }
const wideScreen = '(min-width: 64rem)'

function useWide(): boolean {
  const [wide, setWide] = useState(() => matchMedia(wideScreen).matches)
  useEffect(() => {
    const media = matchMedia(wideScreen)
    const follow = () => setWide(media.matches)
    media.addEventListener('change', follow)
    return () => media.removeEventListener('change', follow)
  }, [])
  return wide
}

/** The rows of the log. Only what is on screen exists, so a long log stays quick. */
export function CallTable({ calls, selected, onOpen, hasMore, loadingMore, onMore }: Props) {
  const wide = useWide()
  const body = useRef<HTMLDivElement>(null)
  const [offset, setOffset] = useState(0)
  useLayoutEffect(() => setOffset(body.current?.offsetTop ?? 0), [])
  const rows = useWindowVirtualizer({
    count: calls.length,
    estimateSize: () => (wide ? rowHeight.wide : rowHeight.narrow),
    overscan: 12,
    scrollMargin: offset,
    getItemKey: (index) => calls[index]?.id ?? index,
  })
  useEffect(() => rows.measure(), [rows, wide])
  const items = rows.getVirtualItems()
  const last = items.at(-1)?.index ?? 0
  useEffect(() => {
    if (hasMore && !loadingMore && last >= calls.length - 10) onMore()
  }, [hasMore, loadingMore, last, calls.length, onMore])

  return (
    <div className="panel overflow-hidden">
     <div role="table" aria-label="Calls" aria-rowcount={hasMore ? -1 : calls.length + 1}>
      <div role="rowgroup" className="hidden lg:block">
        <div role="row" className={clsx('grid items-center gap-x-3 border-b border-line bg-sunken px-4 py-2 text-[13px] text-ink-3', columns)}>
          {['Time', 'Status', 'Model', 'Type', 'User'].map((name) => (
            <span key={name} role="columnheader">
              {name}
            </span>
          ))}
          {['Tokens in / out', 'Cost', 'Latency'].map((name) => (
            <span key={name} role="columnheader" className="text-right">
              {name}
            </span>
          ))}
        </div>
      </div>
      <div ref={body} role="rowgroup" className="relative" style={{ height: rows.getTotalSize() }}>
        {items.map((item) => {
          const call = calls[item.index]
          return (
            call && (
              <Row
                key={call.id}
                call={call}
                index={item.index}
                selected={call.id === selected}
                top={item.start - offset}
                height={item.size}
                onOpen={onOpen}
              />
            )
          )
        })}
      </div>
     </div>
      <p role="status" className={clsx('px-4 text-center text-[13px] text-ink-3', (loadingMore || !hasMore) && 'border-t border-line py-2.5')}>
        {loadingMore ? 'Loading more…' : hasMore ? '' : `${calls.length.toLocaleString('en-US')} calls, no more in this time`}
      </p>
    </div>
  )
}

interface RowProps {
  call: Call
  index: number
  selected: boolean
  top: number
  height: number
  onOpen: (id: string) => void
}

function Row({ call, index, selected, top, height, onOpen }: RowProps) {
  const open = () => onOpen(call.id)
  const keyed = (event: KeyboardEvent<HTMLDivElement>) => {
    if (event.key === 'Enter' || event.key === ' ') {
      event.preventDefault()
      open()
      return
    }
    const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0
    if (!step) return
    event.preventDefault()
    const next = event.currentTarget.parentElement?.querySelector<HTMLElement>(`[aria-rowindex="${index + 2 + step}"]`)
    next?.focus()
  }
  return (
    <div
      role="row"
      aria-rowindex={index + 2}
      aria-selected={selected}
      tabIndex={0}
      onClick={open}
      onKeyDown={keyed}
      style={{ transform: `translateY(${top}px)`, height }}
      className={clsx(
        'absolute inset-x-0 top-0 grid cursor-pointer grid-cols-[minmax(0,1fr)_auto] content-center items-center gap-x-3 gap-y-1 border-b border-line px-4 -outline-offset-2 hover:bg-hover/60',
        columns,
        selected && 'bg-accent-soft',
      )}
    >
      <span role="cell" className="tabular order-3 font-mono text-[13px] text-ink-2 lg:order-none">
        <span className="text-ink-3">{day(call.time)}</span> {clock(call.time)}
      </span>
      <span role="cell" className="order-2 justify-self-end lg:order-none lg:justify-self-start">
        <CallStatus call={call} />
      </span>
      <span role="cell" className="order-1 truncate font-mono text-[13px] lg:order-none" title={call.model}>
        {call.model || call.requestedModel}
      </span>
      <span role="cell" className="hidden text-ink-2 lg:block">
        {call.type}
      </span>
      <span role="cell" className="hidden truncate text-ink-2 lg:block" title={call.user}>
        {call.user || '–'}
      </span>
      <span role="cell" className="tabular hidden text-right text-ink-2 lg:block">
        {count(call.inputTokens)} / {count(call.outputTokens)}
      </span>
      <span role="cell" className="tabular hidden text-right lg:block">
        {usd(call.costUsd)}
      </span>
      <span role="cell" className="tabular order-4 text-right lg:order-none">
        {duration(call.latencyMs)}
        <span className="text-ink-3 lg:hidden"> · {usd(call.costUsd)}</span>
      </span>
    </div>
  )
}

export function CallStatus({ call }: { call: Call }) {
  if (call.status === 'error') {
    return (
      <Badge tone="bad">
        <Dot tone="bad" /> {call.httpStatus ?? 'error'}
      </Badge>
    )
  }
  if (call.cancelled) {
    return (
      <Badge tone="warn">
        <Dot tone="warn" /> cancelled
      </Badge>
    )
  }
  return (
    <Badge tone="good">
      <Dot tone="good" /> {call.httpStatus ?? 'success'}
    </Badge>
  )
}
