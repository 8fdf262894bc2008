// One clock for everything that shows a moment of a recording.

export const SPEEDS = [0.1, 0.25, 0.5, 1, 2];

export class Clock {
  constructor(last) {
    this.last = last;
    this.time = 0;
    this.speed = 1;
    this.playing = false;
    this.until = null;
    this.listeners = [];
  }

  listen(listener) {
    this.listeners.push(listener);
    listener(this.time, this);
  }

  tell() {
    for (const listener of this.listeners) listener(this.time, this);
  }

  seek(time) {
    this.time = Math.max(0, Math.min(this.last, time));
    this.until = null;
    this.before = null;
    this.tell();
  }

  play(until = null) {
    if (this.time >= this.last - 1e-3) this.time = 0;
    this.until = until;
    this.before = null;
    if (this.playing) return;
    this.playing = true;
    const step = (now) => {
      if (!this.playing) return;
      if (this.before !== null) this.time += Math.min(0.25, (now - this.before) / 1000) * this.speed;
      this.before = now;
      const end = this.until ?? this.last;
      if (this.time >= end) {
        this.time = end;
        this.playing = false;
      }
      this.tell();
      if (this.playing) requestAnimationFrame(step);
    };
    this.tell();
    requestAnimationFrame(step);
  }

  stop() {
    if (!this.playing) return;
    this.playing = false;
    this.tell();
  }

  toggle() {
    if (this.playing) this.stop();
    else this.play();
  }

  setSpeed(speed) {
    this.speed = speed;
    this.tell();
  }
}
