import type { UseQueryResult } from '@tanstack/react-query'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { clsx } from 'clsx'
import { Trash2 } from 'lucide-react'
import { useApi } from '@/lib/api/context'
import type { Conversation } from '@/lib/api/types'
import { ago } from '@/lib/format'
import { IconButton } from '@/ui/button'
import { ErrorState, SkeletonRows } from '@/ui/feedback'

interface Props {
  history: UseQueryResult<Conversation[]>
  current: string | undefined
  onOpen: (id: string) => void
  onDeleted: (id: string) => void
}

/** The conversations so far. */
export function HistoryList({ history, current, onOpen, onDeleted }: Props) {
  const api = useApi()
  const queries = useQueryClient()
  const remove = useMutation({
    mutationFn: (id: string) => api.delete(`/api/v1/chat/history/${encodeURIComponent(id)}`),
    onSuccess: (_answer, id) => {
      onDeleted(id)
      return queries.invalidateQueries({ queryKey: ['history'] })
    },
  })
  if (history.isPending) return <SkeletonRows rows={5} className="px-2" />
  if (history.isError) return <ErrorState compact error={history.error} onRetry={() => void history.refetch()} />
  if (history.data.length === 0) return <p className="px-2 text-ink-3">Conversations are kept here.</p>
  return (
    <>
      {remove.isError && <ErrorState compact error={remove.error} />}
      <ul className="space-y-0.5">
        {history.data.map((conversation) => (
          <li key={conversation.id} className={clsx('group flex items-center rounded-lg hover:bg-hover', conversation.id === current && 'bg-hover')}>
            <button
              type="button"
              onClick={() => onOpen(conversation.id)}
              aria-current={conversation.id === current ? 'true' : undefined}
              className="min-w-0 flex-1 px-2.5 py-2 text-left"
            >
              <span className="block truncate">{conversation.title || 'Untitled'}</span>
              <span className="block text-xs text-ink-3">
                {ago(conversation.updatedAt ?? conversation.createdAt ?? '', Date.now())}
                {conversation.messageCount ? ` · ${conversation.messageCount} messages` : ''}
              </span>
            </button>
            <IconButton
              label={`Delete “${conversation.title || 'Untitled'}”`}
              disabled={remove.isPending}
              onClick={() => remove.mutate(conversation.id)}
              className="mr-1 opacity-0 group-hover:opacity-100 focus-visible:opacity-100 max-lg:opacity-100"
            >
              <Trash2 />
            </IconButton>
          </li>
        ))}
      </ul>
    </>
  )
}
