import { Eye, EyeOff } from 'lucide-react'
import type { FormEvent } from 'react'
import { useState } from 'react'
import { ApiClient, ApiError } from '@/lib/api/client'
import { baseUrl } from '@/lib/base'
import { useTitle } from '@/lib/hooks'
import { Link } from '@/lib/router'
import { signedOutBecause, signIn } from '@/lib/session'
import { useStore } from '@/lib/store'
import { Button, IconButton } from '@/ui/button'
import { ErrorState } from '@/ui/feedback'
import { Field, Input } from '@/ui/form'
import { Logo } from '@/ui/logo'
import { docsHref } from './shell'

/** Signing in is pasting a key; the server says whose it is. */
export function SignIn() {
  useTitle('Sign in')
  const because = useStore(signedOutBecause)
  const [key, setKey] = useState('')
  const [shown, setShown] = useState(false)
  const [remember, setRemember] = useState(false)
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<unknown>()

  async function submit(event: FormEvent) {
    event.preventDefault()
    const token = key.trim().replace(/^Bearer\s+/i, '')
    if (!token) return
    setBusy(true)
    setError(undefined)
    try {
      await new ApiClient({ base: baseUrl(location), token }).get('/api/v1/auth/whoami')
      signIn(token, remember)
    } catch (cause) {
      setError(cause instanceof ApiError && cause.status === 401 ? new Error('This key is not valid.') : cause)
      setBusy(false)
    }
  }

  return (
    <main className="mx-auto flex min-h-dvh max-w-[25rem] flex-col justify-center px-4 py-10">
      <div className="mb-6 flex items-center gap-3">
        <Logo className="size-10" />
        <div>
          <h1 className="text-xl leading-tight font-semibold tracking-tight">Sign in to Strata</h1>
          <p className="text-ink-3">Your gateway, its log and its costs.</p>
        </div>
      </div>
      <form onSubmit={submit} className="panel space-y-4 p-5">
        {because && !error && <p className="rounded-lg bg-warn-soft p-3 text-warn">{because}</p>}
        <Field label="API key" hint="The server printed an admin key when it first started.">
          {(props) => (
            <div className="relative">
              <Input
                {...props}
                name="key"
                type={shown ? 'text' : 'password'}
                value={key}
                onChange={(event) => setKey(event.target.value)}
                placeholder="Paste your key"
                className="pr-10 font-mono"
                autoFocus
                required
              />
              <IconButton label={shown ? 'Hide key' : 'Show key'} onClick={() => setShown(!shown)} className="absolute top-0.5 right-0.5">
                {shown ? <EyeOff /> : <Eye />}
              </IconButton>
            </div>
          )}
        </Field>
        <label className="flex cursor-pointer items-center gap-2">
          <input type="checkbox" checked={remember} onChange={(event) => setRemember(event.target.checked)} className="size-4 accent-accent" />
          Remember on this device
        </label>
        {error !== undefined && <ErrorState error={error} compact />}
        <Button type="submit" look="primary" className="w-full" disabled={busy || !key.trim()}>
          {busy ? 'Checking…' : 'Sign in'}
        </Button>
      </form>
      <p className="mt-5 flex justify-center gap-4 text-ink-3">
        <Link to="quickstart" className="underline-offset-4 hover:text-ink hover:underline">
          Quickstart
        </Link>
        <a href={docsHref} className="underline-offset-4 hover:text-ink hover:underline">
          API reference
        </a>
      </p>
    </main>
  )
}
