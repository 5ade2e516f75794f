/**
 * Reads something anew whenever it is told to, once at a time: what is asked
 * for during a read is one more read after it. So a busy log neither starves
 * a page of answers nor floods the server with questions.
 */
export class Refresher {
  private running = false
  private again = false
  private closed = false
  private readonly read: () => Promise<unknown>

  constructor(read: () => Promise<unknown>) {
    this.read = read
  }

  request(): void {
    if (this.closed) return
    this.again = true
    if (!this.running) void this.run()
  }

  close(): void {
    this.closed = true
  }

  private async run(): Promise<void> {
    this.running = true
    while (this.again && !this.closed) {
      this.again = false
      // A read that failed is shown by whoever asked for it first.
      await this.read().catch(() => undefined)
    }
    this.running = false
  }
}
