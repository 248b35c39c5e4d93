using ILGPU.Runtime.Cuda;
using Mamba.Managed.Execution;
using Mamba.Managed.ILGPU.Devices;
using Mamba.Managed.ILGPU.Execution;
using Mamba.Managed.Models;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.ILGPU.Tests.Execution;

/// <summary>What the executor adds to the contract: types of weights, memory, several executors, states that outlive theirs.</summary>
[TestFixtureSource(typeof(TestDevices), nameof(TestDevices.All))]
public class GpuExecutorTests(TestDevice device)
{
    private static readonly MambaConfig Config = new() { DModel = 20, NLayer = 2, VocabSize = 40, DState = 5, DtRank = 3 };
    private static readonly int[] Prompt = [1, 2, 3, 4, 5, 6, 7, 8, 9];

    [TestCase(ElementType.Float16)]
    [TestCase(ElementType.BFloat16)]
    public void Weights_of_sixteen_bits_give_what_they_give_on_the_processor(ElementType type)
    {
        MambaLanguageModel model = MambaLanguageModel.Create(Config, 1, (_, tensor) => To16Bits(tensor, type));
        using CpuExecutor processor = new(model, 1);
        using GpuExecutor executor = GpuExecutor.Create(model, device.Session, new() { MaxRows = 64, Precision = GpuPrecision.Float32 });
        float[] expected = Logits(processor, Prompt);
        Assert.That(Logits(executor, Prompt), Is.EqualTo(expected).Within(1e-4 * expected.Max(Math.Abs)));
    }

    [Test]
    public void Weights_of_blocks_are_copied_in_single_precision()
    {
        MambaConfig config = Config with { DModel = 32 };
        MambaLanguageModel model = MambaLanguageModel.Create(config, 2, (path, tensor) =>
            path.Contains("in_proj", StringComparison.Ordinal) ? Tensor.FromBytes(ElementType.Q8_0, Blocks(tensor.Count), tensor.Shape) : tensor);
        using CpuExecutor processor = new(model.CopyToFloat32(), 1);
        using GpuExecutor executor = GpuExecutor.Create(model, device.Session, new() { MaxRows = 64 });
        float[] expected = Logits(processor, Prompt);
        Assert.That(Logits(executor, Prompt), Is.EqualTo(expected).Within(1e-4 * expected.Max(Math.Abs)));
    }

    [Test]
    public void Bfloat16_is_near_single_precision()
    {
        MambaLanguageModel model = MambaLanguageModel.Create(Config, 3);
        using CpuExecutor processor = new(model, 1);
        using GpuExecutor executor = GpuExecutor.Create(model, device.Session, new() { MaxRows = 64, Precision = GpuPrecision.BFloat16 });
        float[] expected = Logits(processor, Prompt), found = Logits(executor, Prompt);
        Assert.Multiple(() =>
        {
            Assert.That(found, Is.EqualTo(expected).Within(3e-2 * expected.Max(Math.Abs)));
            Assert.That(found, Is.Not.EqualTo(expected).Within(1e-6 * expected.Max(Math.Abs)));
        });
    }

    [Test]
    public void The_same_pass_gives_the_same_bits()
    {
        using GpuExecutor executor = GpuExecutor.Create(MambaLanguageModel.Create(Config, 4), device.Session, new() { MaxRows = 64 });
        float[] first = Logits(executor, Prompt);
        Assert.That(Logits(executor, Prompt), Is.EqualTo(first));
    }

    [Test]
    public void A_model_that_is_too_large_is_refused_and_its_memory_is_free_again()
    {
        MambaLanguageModel model = MambaLanguageModel.Create(Config with { DModel = 256 }, 5);
        GpuDevice found = GpuDevice.Find(device.Selector);
        for (int i = 0; i < 3; i++)
        {
            Assert.That(
                () => GpuExecutor.Create(model, found, new() { MemoryLimit = 1 << 20 }),
                Throws.TypeOf<GpuException>().With.Message.Contains("MiB free within the limit of 1.0 MiB"));
        }
    }

    [Test]
    public void Options_out_of_range_are_refused()
    {
        MambaLanguageModel model = MambaLanguageModel.Create(Config, 6);
        GpuDevice found = GpuDevice.Find(device.Selector);
        Assert.Multiple(() =>
        {
            Assert.That(() => GpuExecutor.Create(model, found, new() { MaxRows = 0 }), Throws.InstanceOf<ArgumentException>());
            Assert.That(() => GpuExecutor.Create(model, found, new() { MemoryLimit = -1 }), Throws.InstanceOf<ArgumentException>());
            Assert.That(() => GpuExecutor.Create(null!, found), Throws.ArgumentNullException);
            Assert.That(() => GpuExecutor.Create(model, (GpuDevice)null!), Throws.ArgumentNullException);
        });
    }

    [Test]
    public void A_state_that_outlives_its_executor_goes_on_elsewhere()
    {
        MambaLanguageModel model = MambaLanguageModel.Create(Config, 7);
        using CpuExecutor processor = new(model, 1);
        GpuExecutor executor = GpuExecutor.Create(model, device.Session, new() { MaxRows = 64 });
        SequenceState state = executor.CreateState(), copy = executor.CreateState();
        executor.Prefill(Prompt, state, new float[Config.VocabSize]);
        executor.Dispose();
        copy.CopyFrom(state);
        state.Dispose();
        float[] expected = Logits(processor, [.. Prompt, 10]), found = new float[Config.VocabSize];
        using SequenceState moved = processor.CreateState();
        moved.CopyFrom(copy);
        copy.Dispose();
        Assert.That(() => copy.CopyFrom(moved), Throws.TypeOf<ObjectDisposedException>());
        Assert.That(moved.Position, Is.EqualTo(Prompt.Length));
        processor.Prefill([10], moved, found);
        Assert.That(found, Is.EqualTo(expected).Within(1e-4 * expected.Max(Math.Abs)));
    }

    [Test]
    public void After_the_device_has_failed_every_call_says_so_and_nothing_hangs()
    {
        GpuSession session = device.Open();
        GpuExecutor executor = GpuExecutor.Create(MambaLanguageModel.Create(Config, 11), session, new() { MaxRows = 64 });
        SequenceState state = executor.CreateState();
        float[] logits = new float[Config.VocabSize];
        executor.Prefill(Prompt, state, logits);
        session.Failed(new CudaException("an illegal memory access was encountered"));
        Assert.Multiple(() =>
        {
            Assert.That(() => executor.Prefill(Prompt, state, logits), Throws.TypeOf<GpuException>().With.Message.Contains("illegal memory access").And.Message.Contains("make a new executor"));
            Assert.That(executor.CreateState, Throws.TypeOf<GpuException>());
            Assert.That(state.Clear, Throws.TypeOf<GpuException>());
            Assert.That(() => state.Import(new float[state.Layout.Length(0)], 0), Throws.TypeOf<GpuException>());
        });
        state.Dispose();
        executor.Dispose();
        session.Dispose();
    }

    [Test]
    public void States_are_made_and_disposed_by_many_threads_while_passes_run()
    {
        using GpuExecutor executor = GpuExecutor.Create(MambaLanguageModel.Create(Config, 8), device.Session, new() { MaxRows = 64 });
        float[] expected = Logits(executor, Prompt);
        Parallel.For(0, 24, new() { MaxDegreeOfParallelism = 4 }, i =>
        {
            using SequenceState state = executor.CreateState();
            float[] found = new float[Config.VocabSize];
            executor.Prefill(Prompt, state, found);
            Assert.That(found, Is.EqualTo(expected));
        });
    }

    [Test]
    public void Two_executors_share_a_device()
    {
        GpuDevice found = GpuDevice.Find(device.Selector);
        MambaLanguageModel model = MambaLanguageModel.Create(Config, 9);
        GpuOptions options = new() { MaxRows = 64 };
        using GpuExecutor first = GpuExecutor.Create(model, found, options);
        float[] expected = Logits(first, Prompt);
        using (GpuExecutor second = GpuExecutor.Create(model, found, options))
        {
            Assert.That(Logits(second, Prompt), Is.EqualTo(expected));
            using SequenceState foreign = second.CreateState(), own = first.CreateState();
            Assert.That(() => first.Prefill([1], foreign, new float[Config.VocabSize]), Throws.ArgumentException.With.Message.Contains("that this executor made"));
            second.Prefill(Prompt, foreign, new float[Config.VocabSize]);
            own.CopyFrom(foreign);
            Assert.That(own.Position, Is.EqualTo(Prompt.Length));
        }

        Assert.That(Logits(first, Prompt), Is.EqualTo(expected));
    }

    [Test]
    public void Many_states_make_the_pool_grow()
    {
        using GpuExecutor executor = GpuExecutor.Create(MambaLanguageModel.Create(Config, 10), device.Session, new() { MaxRows = 64 });
        using SequenceState first = executor.CreateState();
        float[] expected = new float[Config.VocabSize], found = new float[Config.VocabSize];
        executor.Prefill(Prompt, first, expected);
        SequenceState[] copies = [.. Enumerable.Range(0, 40).Select(_ => executor.CreateState())];
        foreach (SequenceState copy in copies)
        {
            copy.CopyFrom(first);
        }

        executor.Prefill([11], first, expected);
        foreach (SequenceState copy in copies)
        {
            executor.Prefill([11], copy, found);
            Assert.That(found, Is.EqualTo(expected));
            copy.Dispose();
        }
    }

    private static float[] Logits(IMambaExecutor executor, int[] tokens)
    {
        using SequenceState state = executor.CreateState();
        float[] logits = new float[executor.Config.VocabSize];
        executor.Prefill(tokens, state, logits);
        return logits;
    }

    private static Tensor To16Bits(Tensor tensor, ElementType type)
    {
        byte[] bytes = [.. tensor.ToArray().SelectMany(value => BitConverter.GetBytes(type == ElementType.Float16
            ? BitConverter.HalfToUInt16Bits((Half)value)
            : (ushort)(BitConverter.SingleToUInt32Bits(value) >> 16)))];
        return Tensor.FromBytes(type, bytes, tensor.Shape);
    }

    // Blocks of 32: a scale of about 0.01 in binary16, then signed bytes.
    private static byte[] Blocks(int count)
    {
        Random random = new(count);
        byte[] bytes = new byte[count / 32 * 34];
        random.NextBytes(bytes);
        for (int at = 0; at < bytes.Length; at += 34)
        {
            BitConverter.TryWriteBytes(bytes.AsSpan(at), (Half)0.001f);
        }

        return bytes;
    }
}
