import { Pause, Play, Radio, Trash2, X } from 'lucide-react'
import type { FormEvent } from 'react'
import { useState } from 'react'
import { useApi } from '@/lib/api/context'
import type { StrataEvent } from '@/lib/api/types'
import type { EventFeed, FeedStatus } from '@/lib/event-feed'
import { useTitle } from '@/lib/hooks'
import { setQuery, useRoute } from '@/lib/router'
import { curlChat } from '@/lib/snippets'
import { useStore } from '@/lib/store'
import { Dot, PageHeader } from '@/ui/bits'
import { Button, IconButton } from '@/ui/button'
import { CodeBlock } from '@/ui/copy'
import { EmptyState, ErrorState, SkeletonRows } from '@/ui/feedback'
import { Input } from '@/ui/form'
import { EventDrawer } from './event-drawer'
import { EventList } from './event-list'
import { useEventTypes, useFeed } from './use-feed'

export function EventsScreen() {
  useTitle('Live events')
  const { query } = useRoute()
  const types = query.get('types') ?? ''
  const { feed, recent } = useFeed(types)
  return (
    <div className="space-y-4">
      {recent.isError && (
        <>
          <PageHeader title="Live events" />
          <ErrorState error={recent.error} onRetry={() => void recent.refetch()} />
        </>
      )}
      {!feed && !recent.isError && (
        <>
          <PageHeader title="Live events" lead="Everything that happens, as it happens." />
          <SkeletonRows rows={12} />
        </>
      )}
      {feed && <Feed feed={feed} types={types} />}
    </div>
  )
}

const status: Record<FeedStatus, { label: string; tone: 'good' | 'warn' | 'neutral' }> = {
  connecting: { label: 'Connecting', tone: 'neutral' },
  'catching-up': { label: 'Catching up', tone: 'warn' },
  live: { label: 'Live', tone: 'good' },
  reconnecting: { label: 'Reconnecting', tone: 'warn' },
  paused: { label: 'Paused', tone: 'neutral' },
}

function Feed({ feed, types }: { feed: EventFeed; types: string }) {
  const { base } = useApi()
  const state = useStore(feed.state)
  const [opened, setOpened] = useState<StrataEvent>()
  const known = useEventTypes()
  const chosen = types ? types.split(',') : []
  const now = status[state.status]
  const paused = state.status === 'paused'
  const choose = (next: string[]) => setQuery({ types: next.join(',') }, { push: true })

  return (
    <>
      <PageHeader title="Live events" lead="Everything that happens, as it happens.">
        <span role="status" className="inline-flex h-9 items-center gap-2 px-1 text-ink-2">
          <Dot tone={now.tone} pulse={state.status === 'live'} /> {now.label}
        </span>
        <Button onClick={() => (paused ? feed.resume() : feed.pause())}>
          {paused ? <Play /> : <Pause />}
          {paused ? 'Resume' : 'Pause'}
        </Button>
        <IconButton label="Clear the list" onClick={() => feed.clear()}>
          <Trash2 />
        </IconButton>
      </PageHeader>

      <div className="flex flex-wrap items-center gap-2">
        <TypeFilter known={known.data ?? []} onAdd={(type) => choose([...new Set([...chosen, type])])} />
        {chosen.map((type) => (
          <button
            key={type}
            type="button"
            onClick={() => choose(chosen.filter((other) => other !== type))}
            aria-label={`Stop filtering by ${type}`}
            className="inline-flex h-9 items-center gap-1.5 rounded-[7px] bg-accent-soft px-2.5 font-mono text-[13px] text-accent"
          >
            {type} <X className="size-3.5" />
          </button>
        ))}
      </div>

      {state.events.length === 0 ? (
        <div className="panel">
          <EmptyState icon={<Radio />} title={paused ? 'Paused' : 'Listening'}>
            <p>
              {chosen.length
                ? 'No event of these types yet. New ones appear here by themselves.'
                : 'No events here yet. Model calls, sessions, budgets and your own events appear by themselves.'}
            </p>
            <CodeBlock label="example call" code={curlChat(base)} />
          </EmptyState>
        </div>
      ) : (
        <EventList events={state.events} liveAfter={state.liveAfter} onOpen={setOpened} />
      )}
      <EventDrawer
        event={opened}
        onClose={() => setOpened(undefined)}
        onFilter={(type) => {
          setOpened(undefined)
          choose([type])
        }}
      />
    </>
  )
}

function TypeFilter({ known, onAdd }: { known: string[]; onAdd: (type: string) => void }) {
  const [text, setText] = useState('')
  const add = (type: string) => {
    setText('')
    if (type.trim()) onAdd(type.trim())
  }
  const submit = (event: FormEvent) => {
    event.preventDefault()
    add(text)
  }
  return (
    <form onSubmit={submit} className="w-full sm:w-72">
      <Input
        aria-label="Filter by event type"
        placeholder="Filter by type, e.g. session.*"
        list="event-types"
        value={text}
        onChange={(event) => {
          const next = event.target.value
          // Picking from the list needs no Enter.
          const picked = !('inputType' in event.nativeEvent) || (event.nativeEvent as InputEvent).inputType === 'insertReplacementText'
          if (picked && known.includes(next)) add(next)
          else setText(next)
        }}
      />
      <datalist id="event-types">
        {known.map((type) => (
          <option key={type} value={type} />
        ))}
      </datalist>
    </form>
  )
}
