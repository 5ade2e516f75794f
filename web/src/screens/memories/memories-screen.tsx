import { Brain, Plus, Trash2 } from 'lucide-react'
import { useState } from 'react'
import { baseUrl } from '@/lib/base'
import { ago, day, humanise, percent, timestamp } from '@/lib/format'
import { useSettled, useTitle } from '@/lib/hooks'
import { useLive } from '@/lib/live'
import { setQuery, useRoute } from '@/lib/router'
import { curlMemory } from '@/lib/snippets'
import { Badge, PageHeader, Progress } from '@/ui/bits'
import { Button, IconButton } from '@/ui/button'
import { Confirm } from '@/ui/confirm'
import { EmptyState, ErrorState, SkeletonRows } from '@/ui/feedback'
import { FirstStep } from '@/ui/first-step'
import { Input } from '@/ui/form'
import { MoreButton } from '@/ui/list'
import { SearchBox } from '@/ui/search-box'
import { MemoryDialog } from './memory-dialog'
import type { Memory, Scope } from './use-memories'
import { useMemories, useMemoryCommands } from './use-memories'

const scopes: { key: keyof Scope; label: string }[] = [
  { key: 'user_id', label: 'User' },
  { key: 'agent_id', label: 'Agent' },
  { key: 'session_id', label: 'Session' },
]

export function MemoriesScreen() {
  useTitle('Memories')
  const { query } = useRoute()
  const scope: Scope = { user_id: query.get('user_id') ?? '', agent_id: query.get('agent_id') ?? '', session_id: query.get('session_id') ?? '' }
  const search = query.get('search') ?? ''
  const asked = useSettled(JSON.stringify({ scope, search }), 250)
  const settled = JSON.parse(asked) as { scope: Scope; search: string }
  const memories = useMemories(settled.scope, settled.search.trim())
  useLive('memory.*', ['memories'])
  const [adding, setAdding] = useState(false)
  const [doomed, setDoomed] = useState<Memory>()
  const narrowed = search !== '' || Object.values(scope).some(Boolean)

  return (
    <div className="space-y-5">
      <PageHeader title="Memories" lead="What is remembered of users, by agents and in sessions.">
        <Button look="primary" onClick={() => setAdding(true)}>
          <Plus /> Add memory
        </Button>
      </PageHeader>
      <div className="flex flex-wrap gap-2">
        <SearchBox wide label="Search memories" placeholder="Search by meaning and words" value={search} onChange={(next) => setQuery({ search: next })} />
        {scopes.map(({ key, label }) => (
          <Input
            key={key}
            aria-label={label}
            placeholder={`${label} id`}
            value={scope[key]}
            onChange={(e) => setQuery({ [key]: e.target.value.trim() })}
            className="w-auto! min-w-24 flex-[1_1_6rem] sm:min-w-36 sm:flex-[0_1_11rem] font-mono text-[13px]"
          />
        ))}
      </div>
      {memories.isError && <ErrorState error={memories.error} onRetry={() => void memories.refetch()} />}
      {memories.isPending && <SkeletonRows rows={5} className="[&>div]:h-16" />}
      {memories.isSuccess && memories.items.length === 0 && (
        <div className="panel">
          <EmptyState icon={<Brain />} title={narrowed ? 'Nothing fits' : 'Nothing is remembered yet'}>
            {narrowed ? (
              <p>Search for something else, or take a scope away.</p>
            ) : (
              <FirstStep what="Agents and applications add what they learn of somebody. Add something here, or with the API:" label="memory example" code={curlMemory(baseUrl(location))} />
            )}
          </EmptyState>
        </div>
      )}
      {memories.items.length > 0 && (
        <div className="panel">
          <ul aria-label="Memories">
            {memories.items.map((memory) => (
              <MemoryRow key={memory.id} memory={memory} onRemove={() => setDoomed(memory)} />
            ))}
          </ul>
          <MoreButton pages={memories} />
        </div>
      )}
      {adding && <MemoryDialog scope={scope} onClose={() => setAdding(false)} />}
      {doomed && <RemoveDialog memory={doomed} onClose={() => setDoomed(undefined)} />}
    </div>
  )
}

function MemoryRow({ memory, onRemove }: { memory: Memory; onRemove: () => void }) {
  return (
    <li className="flex items-start gap-4 border-b border-line px-4 py-3 last:border-0">
      <div className="min-w-0 flex-1 space-y-1.5">
        <p className="break-words whitespace-pre-wrap">{memory.content}</p>
        <div className="flex flex-wrap items-center gap-x-3 gap-y-1 text-[13px] text-ink-3">
          <Badge>{humanise(memory.type)}</Badge>
          {scopes.map(({ key, label }) => {
            const value = memory[key]
            return (
              value && (
                <button
                  key={key}
                  type="button"
                  title={`Show only what is of this ${label.toLowerCase()}`}
                  onClick={() => setQuery({ [key]: value })}
                  className="inline-flex max-w-64 items-center gap-1 rounded underline-offset-4 hover:text-ink hover:underline"
                >
                  {label}
                  <span className="truncate font-mono text-xs">{value}</span>
                </button>
              )
            )
          })}
          {memory.app_id && (
            <span>
              App <span className="font-mono text-xs">{memory.app_id}</span>
            </span>
          )}
          <time dateTime={memory.created_at} title={timestamp(memory.created_at)}>
            {ago(memory.created_at, Date.now())}
          </time>
          {memory.expires_at && <span title={timestamp(memory.expires_at)}>kept until {day(memory.expires_at)}</span>}
          {memory.importance !== undefined && <span>importance {percent(memory.importance)}</span>}
        </div>
      </div>
      {memory.score !== undefined && (
        <div className="tabular w-20 shrink-0 space-y-1 pt-0.5 text-right text-[13px] text-ink-2">
          {memory.score.toFixed(3)}
          <Progress steady value={memory.score} label={`Score of “${memory.content}”`} />
        </div>
      )}
      <IconButton label={`Delete “${memory.content.slice(0, 60)}”`} onClick={onRemove} className="-mt-1 -mr-1.5">
        <Trash2 />
      </IconButton>
    </li>
  )
}

function RemoveDialog({ memory, onClose }: { memory: Memory; onClose: () => void }) {
  const { remove } = useMemoryCommands()
  return (
    <Confirm title="Delete memory" action="Delete" onClose={onClose} onConfirm={() => remove.mutate(memory.id, { onSuccess: onClose })} pending={remove.isPending} error={remove.error}>
      <p>“{memory.content}” will not be found any more.</p>
    </Confirm>
  )
}
