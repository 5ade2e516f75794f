import { useWindowVirtualizer } from '@tanstack/react-virtual'
import { useLayoutEffect, useRef, useState } from 'react'
import type { StrataEvent } from '@/lib/api/types'
import { clock } from '@/lib/format'

interface Props {
  events: StrataEvent[]
  /** Events after this position light up as they arrive. */
  liveAfter: number
  onOpen: (event: StrataEvent) => void
}

/** A hue per aggregate (the part before the first dot), so that kinds can be told apart at a glance. */
function colourOf(type: string): string {
  let hash = 0
  for (const letter of type.split('.')[0] ?? '') hash = (hash * 31 + letter.charCodeAt(0)) >>> 0
  return `var(--chart-${(hash % 6) + 1})`
}

function preview(event: StrataEvent): string {
  const text = event.data === undefined || event.data === null ? '' : JSON.stringify(event.data)
  return text === '{}' ? '' : text.slice(0, 240)
}

/** The events on screen, newest first. */
export function EventList({ events, liveAfter, onOpen }: Props) {
  const list = useRef<HTMLUListElement>(null)
  const [offset, setOffset] = useState(0)
  useLayoutEffect(() => setOffset(list.current?.offsetTop ?? 0), [])
  const rows = useWindowVirtualizer({
    count: events.length,
    estimateSize: () => 46,
    overscan: 12,
    scrollMargin: offset,
    getItemKey: (index) => events[index]?.id ?? index,
  })
  return (
    <div className="panel overflow-hidden">
      <ul ref={list} aria-label="Events" className="relative" style={{ height: rows.getTotalSize() }}>
        {rows.getVirtualItems().map((item) => {
          const event = events[item.index]
          if (!event) return null
          return (
            <li
              key={item.key}
              className="absolute inset-x-0 top-0 border-b border-line"
              style={{ height: item.size, transform: `translateY(${item.start - offset}px)` }}
            >
              <button
                type="button"
                onClick={() => onOpen(event)}
                className={`flex size-full items-center gap-3 px-4 text-left -outline-offset-2 hover:bg-hover/60 ${event.sequence > liveAfter ? 'animate-[arrive_1.6s_ease-out]' : ''}`}
              >
                <span aria-hidden className="h-5 w-1 shrink-0 rounded-full" style={{ background: colourOf(event.type) }} />
                <span className="tabular w-16 shrink-0 font-mono text-[13px] text-ink-3 sm:w-20">{clock(event.time)}</span>
                <span className="min-w-0 shrink truncate font-mono text-[13px] font-medium sm:shrink-0">{event.type}</span>
                <span className="hidden min-w-0 flex-1 truncate font-mono text-xs text-ink-3 md:block">{preview(event)}</span>
                <span className="tabular ml-auto hidden shrink-0 sm:block font-mono text-xs text-ink-3">#{event.sequence}</span>
              </button>
            </li>
          )
        })}
      </ul>
    </div>
  )
}
