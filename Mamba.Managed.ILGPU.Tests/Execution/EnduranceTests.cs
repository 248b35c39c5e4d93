using ILGPU.Runtime.Cuda;
using Mamba.Managed.Execution;
using Mamba.Managed.ILGPU.Execution;
using Mamba.Managed.Models;

namespace Mamba.Managed.ILGPU.Tests.Execution;

/// <summary>Many passes take no more memory than few.</summary>
[TestFixtureSource(typeof(TestDevices), nameof(TestDevices.All))]
public class EnduranceTests(TestDevice device)
{
    private static readonly MambaConfig Config = new() { DModel = 32, NLayer = 2, VocabSize = 64 };

    [Test]
    public void Ten_thousand_steps_leak_nothing()
    {
        int steps = device.Session.IsFast ? 10_000 : 200;
        using GpuExecutor executor = GpuExecutor.Create(MambaLanguageModel.Create(Config, 1), device.Session, new() { MaxRows = 64 });
        using GpuState alone = executor.CreateState();
        GpuState[] together = [.. Enumerable.Range(0, 5).Select(_ => executor.CreateState())];
        float[] logits = new float[together.Length * Config.VocabSize];
        Advance(50);
        (long device, long host) before = Taken();
        Advance(steps);
        (long device, long host) after = Taken();
        Assert.That(logits, Has.None.NaN);
        Assert.That(after.device - before.device, Is.LessThanOrEqualTo(4 << 20), "bytes of the device");
        Assert.That(after.host - before.host, Is.LessThanOrEqualTo(4 << 20), "bytes of the host");

        // By turns a step, a batch, a prompt, and a state that comes and goes.
        void Advance(int count)
        {
            for (int i = 0; i < count; i++)
            {
                executor.Prefill([i % 64], alone, logits.AsSpan(0, Config.VocabSize));
                if (i % 10 == 0)
                {
                    executor.Step([1, 2, 3, 4, 5], together, logits);
                    using GpuState brief = executor.CreateState();
                    executor.Prefill([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], brief, logits.AsSpan(0, Config.VocabSize));
                }
            }
        }
    }

    [Test]
    public void The_same_run_twice_is_the_same_bits()
    {
        MambaLanguageModel model = MambaLanguageModel.Create(Config, 2);
        float[] first = Run(), second = Run();
        Assert.That(second.Select(BitConverter.SingleToUInt32Bits), Is.EqualTo(first.Select(BitConverter.SingleToUInt32Bits)));

        float[] Run()
        {
            using GpuExecutor executor = GpuExecutor.Create(model, device.Session, new() { MaxRows = 256 });
            SequenceState[] states = [.. Enumerable.Range(0, 3).Select(_ => executor.CreateState())];
            float[] prompts = new float[3 * Config.VocabSize], steps = new float[3 * Config.VocabSize];
            executor.Forward([.. Enumerable.Range(0, 130).Select(i => i % 64)], [100, 1, 29], states, prompts);
            for (int i = 0; i < 5; i++)
            {
                executor.Step([i, i + 1, i + 2], states, steps);
            }

            return [.. prompts, .. steps];
        }
    }

    private (long Device, long Host) Taken()
    {
        long free = device.Session.Accelerator is CudaAccelerator cuda ? cuda.GetFreeMemory() : 0;
        return (-free, GC.GetTotalMemory(forceFullCollection: true));
    }
}
