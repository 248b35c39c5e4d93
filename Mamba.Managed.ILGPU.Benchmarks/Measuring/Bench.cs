using System.Diagnostics;
using System.Globalization;
using Mamba.Managed.ILGPU.Devices;

namespace Mamba.Managed.ILGPU.Benchmarks.Measuring;

/// <summary>Where rows run: one device, a clock and a log.</summary>
internal sealed class Bench : IDisposable
{
    private const int Repetitions = 7;

    private static readonly TimeSpan Repetition = TimeSpan.FromMilliseconds(40);
    private static readonly long Start = Stopwatch.GetTimestamp();

    private readonly Lazy<GpuSession> session;

    /// <param name="device">As <see cref="GpuDevice.Find"/> takes it.</param>
    /// <param name="kernelCache">Where compiled kernels are kept from one process to the next; null for nowhere.</param>
    /// <param name="isSmall">Whether shapes are tiny, to try the program where there is no GPU.</param>
    public Bench(string device, string? kernelCache, bool isSmall)
    {
        (Device, KernelCache, IsSmall) = (device, kernelCache, isSmall);
        session = new(() => DeviceList.Open(GpuDevice.Find(device), kernelCache));
    }

    public string Device { get; }

    public string? KernelCache { get; }

    public bool IsSmall { get; }

    public GpuSession Session => session.Value;

    /// <summary>A line of progress on standard error, with the seconds since the program began.</summary>
    public static void Log(string line)
    {
        double seconds = Stopwatch.GetElapsedTime(Start).TotalSeconds;
        Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"[{seconds,6:F1}] {line}"));
    }

    /// <summary>The time of one launch, several times over.</summary>
    /// <param name="launch">Asynchronous; gets the number of the launch, for those that rotate among inputs.</param>
    /// <param name="synchronize">Waits for what was launched; null for the session.</param>
    public double[] Time(Action<int> launch, Action? synchronize = null)
    {
        synchronize ??= Session.Synchronize;
        int done = 0;
        double Seconds(int count)
        {
            long start = Stopwatch.GetTimestamp();
            for (int i = 0; i < count; i++)
            {
                launch(done++);
            }

            synchronize();
            return Stopwatch.GetElapsedTime(start).TotalSeconds;
        }

        double estimate = Math.Min(Seconds(1), Math.Min(Seconds(1), Seconds(1)));
        int launches = IsSmall ? 1 : (int)Math.Clamp(Repetition.TotalSeconds / Math.Max(estimate, 1e-6), 2, 4000);
        _ = Seconds(launches);
        return [.. Enumerable.Range(0, IsSmall ? 1 : Repetitions).Select(_ => Seconds(launches) / launches)];
    }

    public void Dispose()
    {
        if (session.IsValueCreated)
        {
            session.Value.Dispose();
        }
    }
}
