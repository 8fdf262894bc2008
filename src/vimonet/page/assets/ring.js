// The sound of an alarm: two tones, again and again; browsers let it begin only after the reader has switched it on.

const EVERY = 2400; // ms
const TONES = [[880, 0], [660, 0.22], [880, 0.44]]; // Hz, s

export class Ring {
  constructor() {
    this.on = this.wanted = false;
  }

  async toggle() {
    this.on = !this.on;
    if (this.on) {
      this.context ??= new AudioContext();
      await this.context.resume();
      this.tone(660, 0, 0.04); // it can be heard
    }
    this.update();
    return this.on;
  }

  want(wanted) {
    this.wanted = wanted;
    this.update();
  }

  update() {
    const rings = this.on && this.wanted;
    document.body.classList.toggle("ringing", rings);
    if (rings === Boolean(this.timer)) return;
    clearInterval(this.timer);
    this.timer = null;
    if (!rings) return;
    const ring = () => TONES.forEach(([pitch, after]) => this.tone(pitch, after, 0.3));
    this.timer = setInterval(ring, EVERY);
    ring();
  }

  tone(pitch, after, loud) {
    const { context } = this;
    const [start, end] = [context.currentTime + after, context.currentTime + after + 0.18];
    const voice = context.createOscillator();
    const volume = context.createGain();
    voice.frequency.value = pitch;
    volume.gain.setValueAtTime(0, start);
    volume.gain.linearRampToValueAtTime(loud, start + 0.02);
    volume.gain.setValueAtTime(loud, end - 0.05);
    volume.gain.linearRampToValueAtTime(0, end);
    voice.connect(volume).connect(context.destination);
    voice.start(start);
    voice.stop(end);
  }
}
