namespace Mamba.Managed.Cli;

/// <summary>Progress that is reported synchronously, on the calling thread; <see cref="Progress{T}"/> reports later, on another thread.</summary>
/// <param name="handler">Receives each value.</param>
internal sealed class Listener<T>(Action<T> handler) : IProgress<T>
{
    public void Report(T value) => handler(value);
}
