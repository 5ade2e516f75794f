import { useQuery } from '@tanstack/react-query'
import { History, MessageSquarePlus } from 'lucide-react'
import { useCallback, useEffect, useMemo, useRef, useState } from 'react'
import { useApi } from '@/lib/api/context'
import { canChat, useApps, useModels } from '@/lib/api/models'
import type { Conversation } from '@/lib/api/types'
import { useTitle } from '@/lib/hooks'
import { setQuery, useRoute } from '@/lib/router'
import { builtInModel } from '@/lib/snippets'
import { Button, IconButton } from '@/ui/button'
import { Dialog } from '@/ui/dialog'
import { ErrorState } from '@/ui/feedback'
import { Select } from '@/ui/form'
import { Composer } from './composer'
import { HistoryList } from './history-list'
import { Transcript } from './transcript'
import type { Target, Turn } from './use-chat'
import { useChat } from './use-chat'

/** Every conversation with its messages, newest first. */
function useHistory() {
  const api = useApi()
  return useQuery({
    queryKey: ['history'],
    queryFn: async ({ signal }) =>
      (await api.list<Conversation>('/api/v1/chat/history', { limit: 50 }, signal)).items.toSorted((a, b) =>
        (b.updatedAt ?? '').localeCompare(a.updatedAt ?? ''),
      ),
  })
}

function toTurns(conversation: Conversation | undefined): Turn[] {
  return (conversation?.messages ?? []).map((message, index) => ({
    key: message.id ?? `${conversation?.id}-${index}`,
    id: message.id,
    role: message.role,
    content: message.content,
    state: 'done',
    usage: message.tokenUsage,
    rating: message.feedback,
  }))
}

export function ChatScreen() {
  useTitle('Chat')
  const { query } = useRoute()
  const chatId = query.get('chat') ?? undefined
  const history = useHistory()
  // A conversation that was begun here is already on screen: its id in the address must not reload it.
  const held = useRef<string>(undefined)
  const chat = useChat(
    useCallback((id) => {
      held.current = id
      setQuery({ chat: id })
    }, []),
  )
  const [browsing, setBrowsing] = useState(false)

  const loaded = history.isSuccess
  const { show } = chat
  const conversations = history.data
  useEffect(() => {
    if (held.current === chatId) return
    if (chatId && !loaded) return
    held.current = chatId
    show(toTurns(conversations?.find((c) => c.id === chatId)))
  }, [chatId, loaded, conversations, show])

  const open = (id: string) => {
    setBrowsing(false)
    setQuery({ chat: id }, { push: true })
  }
  const begin = () => {
    held.current = undefined
    show([])
    setQuery({ chat: '' }, { push: true })
  }
  const list = <HistoryList history={history} current={chatId} onOpen={open} onDeleted={(id) => id === chatId && setQuery({ chat: '' })} />

  return (
    <div className="-mx-4 -mt-5 -mb-24 grid h-[calc(100dvh-3.25rem-3.6rem)] grid-rows-[minmax(0,1fr)] lg:-mx-8 lg:-mt-7 lg:-mb-10 lg:h-dvh lg:grid-cols-[minmax(0,1fr)_17rem]">
      <section aria-label="Conversation" className="flex min-w-0 flex-col">
        <ChatHeader onHistory={() => setBrowsing(true)} onNew={begin} />
        <Held chat={chat} chatId={chatId} />
      </section>
      <aside aria-label="History" className="hidden min-h-0 flex-col border-l border-line bg-sunken lg:flex">
        <h2 className="px-4 pt-5 pb-2 font-medium">History</h2>
        <div className="min-h-0 flex-1 overflow-y-auto px-2 pb-4">{list}</div>
      </aside>
      <Dialog shape="drawer" open={browsing} onClose={() => setBrowsing(false)} title="History">
        {list}
      </Dialog>
    </div>
  )
}

function ChatHeader({ onHistory, onNew }: { onHistory: () => void; onNew: () => void }) {
  return (
    <header className="flex items-center gap-2 border-b border-line px-4 py-3 lg:px-8">
      <h1 className="mr-auto text-xl font-semibold tracking-tight">Chat</h1>
      <IconButton label="History" onClick={onHistory} className="lg:hidden">
        <History />
      </IconButton>
      <Button onClick={onNew}>
        <MessageSquarePlus /> New chat
      </Button>
    </header>
  )
}

function Held({ chat, chatId }: { chat: ReturnType<typeof useChat>; chatId: string | undefined }) {
  const models = useModels()
  const apps = useApps()
  const chattable = useMemo(() => models.data?.filter(canChat) ?? [], [models.data])
  const [choice, setChoice] = useState('')
  const first = chattable.find((model) => model.id === builtInModel) ?? chattable[0]
  const chosen = choice || (first ? `model:${first.id}` : '')
  const target = toTarget(chosen)
  return (
    <>
      <Transcript turns={chat.turns} streaming={chat.streaming} chatId={chatId} />
      <div className="mx-auto w-full max-w-3xl px-4 pb-4 lg:px-8">
        {models.isError && <ErrorState compact error={models.error} onRetry={() => void models.refetch()} />}
        <Composer
          streaming={chat.streaming}
          ready={chosen !== ''}
          onSend={(message) => chat.send(message, target, chatId)}
          onStop={chat.stop}
        >
          <Select aria-label="Model or app" className="max-w-64 min-w-0 text-[13px] [&>select]:h-8" value={chosen} onChange={(event) => setChoice(event.target.value)}>
            <optgroup label="Models">
              {chattable.map((model) => (
                <option key={model.id} value={`model:${model.id}`}>
                  {model.id}
                </option>
              ))}
            </optgroup>
            {(apps.data?.length ?? 0) > 0 && (
              <optgroup label="Apps">
                {apps.data?.map((app) => (
                  <option key={app.id} value={`app:${app.id}`}>
                    {app.name}
                  </option>
                ))}
              </optgroup>
            )}
          </Select>
        </Composer>
      </div>
    </>
  )
}

function toTarget(choice: string): Target {
  const id = choice.slice(choice.indexOf(':') + 1)
  return choice.startsWith('app:') ? { appId: id } : { model: id }
}
