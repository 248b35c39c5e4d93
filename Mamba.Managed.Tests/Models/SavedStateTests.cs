using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using Mamba.Managed.Execution;
using Mamba.Managed.Layers;
using Mamba.Managed.Models;
using Mamba.Managed.Tensors;
using Mamba.Managed.Tests.Kernels;

namespace Mamba.Managed.Tests.Models;

/// <summary>A state saved and restored, and what is refused.</summary>
public class SavedStateTests
{
    private static readonly MambaConfig Config = new() { DModel = 10, NLayer = 2, VocabSize = 20, DState = 3 };

    [Test]
    public void A_restored_state_is_the_same_bits()
    {
        MambaLanguageModel model = MambaLanguageModel.Create(Config, 1);
        using CpuExecutor executor = new(model, 1);
        CpuState state = Used(executor), restored = executor.CreateState();
        using MemoryStream stream = new();
        stream.WriteByte(9);
        state.Save(stream, ModelFingerprint.Of(model));
        stream.WriteByte(7);
        stream.Position = 1;
        restored.Restore(stream, ModelFingerprint.Of(model));
        Assert.That(stream.ReadByte(), Is.EqualTo(7), "nothing beyond the state is read");
        AssertSame(state, restored);
    }

    [Test]
    public void A_file_holds_the_canonical_form_whatever_the_order_in_memory()
    {
        using CpuExecutor executor = new(MambaLanguageModel.Create(Config, 1), 1);
        CpuState state = Used(executor);
        MixerState layer = state.Layers[0];
        byte[] file = Saved(state, new(5));
        int values = file.Length - sizeof(uint) - (int)state.ByteLength;
        int scan = values + (layer.ConvLength * layer.Channels * sizeof(float));
        float[] panels = layer.SsmState.ToArray(), byChannel = ScanHarness.FromPanels(panels, layer.Channels, layer.States);
        Assert.Multiple(() =>
        {
            Assert.That(Floats(file, values, layer.ConvState.Length), Is.EqualTo(layer.ConvState.ToArray()));
            Assert.That(Floats(file, scan, byChannel.Length), Is.EqualTo(byChannel));
            Assert.That(panels, Is.Not.EqualTo(byChannel));
            Assert.That(Encoding.UTF8.GetString(file), Does.Contain("layers.0.conv_state").And.Contain("layers.1.ssm_state"));
        });
    }

    [Test]
    public void A_file_of_version_1_is_read()
    {
        MambaLanguageModel model = MambaLanguageModel.Create(Config, 1);
        using CpuExecutor executor = new(model, 1);
        byte[] file = File.ReadAllBytes(Path.Combine(TestContext.CurrentContext.TestDirectory, "Fixtures", "saved-state", "version1.mambastate"));
        using CpuState restored = executor.CreateState(), other = new(Config with { DState = 4 });
        Assert.That(restored.Restore(new MemoryStream(file), executor.Fingerprint), Is.Empty);
        AssertSame(Used(executor), restored);
        Refused(file[..^9], executor.Fingerprint, executor.CreateState(), "truncated");
        Refused([.. file[..60], (byte)(file[60] ^ 1), .. file[61..]], executor.Fingerprint, executor.CreateState(), "checksum");
        Refused(file, executor.Fingerprint, other, "other sizes");
    }

    [Test]
    public void What_is_kept_with_a_state_comes_back()
    {
        using CpuExecutor executor = new(MambaLanguageModel.Create(Config, 1), 1);
        byte[] session = new byte[200_001];
        new Random(1).NextBytes(session);
        using CpuState state = Used(executor), restored = executor.CreateState();
        using MemoryStream stream = new();
        state.Save(stream, new(5), session);
        stream.Position = 0;
        Assert.That(restored.Restore(stream, new(5)), Is.EqualTo(session));
        AssertSame(state, restored);
    }

    [Test]
    public void Float16_takes_half_the_bytes_at_the_stated_error([Values(1f, 1e-30f, 1e30f, 70_000f)] float scale)
    {
        using CpuExecutor executor = new(MambaLanguageModel.Create(Config, 1), 1);
        using CpuState state = Used(executor), restored = executor.CreateState();
        float[] values = new float[state.Layout.Length(0)], found = new float[values.Length];
        state.Export(values);
        for (int i = 0; i < values.Length; i++)
        {
            values[i] *= scale * (i % 7 == 0 ? 1e-7f : 1);
        }

        state.Import(values, 5);
        using MemoryStream stream = new();
        state.Save(stream, new(5), [1, 2, 3], ElementType.Float16);
        Assert.That(stream.Length, Is.LessThan((state.ByteLength / 2) + 400));
        stream.Position = 0;
        Assert.That(restored.Restore(stream, new(5)), Is.EqualTo(new byte[] { 1, 2, 3 }));
        Assert.That(restored.Position, Is.EqualTo(5));
        restored.Export(found);
        int at = 0;
        foreach (StateArray array in state.Layout.Arrays)
        {
            int length = (int)array.Length(0);
            double largest = values.AsSpan(at, length).ToArray().Max(Math.Abs);
            for (int i = at; i < at + length; i++)
            {
                Assert.That((double)found[i], Is.EqualTo(values[i]).Within(Math.Max(Math.Abs(values[i]) * Math.ScaleB(1, -11), largest * Math.ScaleB(1, -39))));
            }

            at += length;
        }
    }

    [Test]
    public void Types_that_states_are_not_saved_as_are_named()
    {
        using CpuState state = new(Config);
        Assert.That(() => state.Save(new MemoryStream(), new(5), default, ElementType.Q8_0), Throws.ArgumentException.With.Message.Contains("Q8_0"));
    }

    [Test]
    public void Lengths_of_a_stranger_reserve_no_memory()
    {
        using CpuExecutor executor = new(MambaLanguageModel.Create(Config, 1), 1);
        using CpuState state = executor.CreateState();
        byte[] file = Saved(state, new(5));
        BinaryPrimitives.WriteInt64LittleEndian(file.AsSpan(32), 2_000_000_000);
        long bytes = Allocations.Of(() => Refused(file, new(5), state, "truncated"));
        Assert.That(bytes, Is.LessThan(1_000_000));
    }

    [Test]
    public void A_position_that_cannot_grow_is_refused_before_anything_moves()
    {
        using CpuExecutor executor = new(MambaLanguageModel.Create(Config, 1), 1);
        using CpuState state = Used(executor), before = executor.CreateState();
        float[] values = new float[state.Layout.Length(0)];
        state.Export(values);
        state.Import(values, long.MaxValue - 1);
        before.CopyFrom(state);
        Assert.That(() => executor.Prefill([1, 2], state, new float[20]), Throws.ArgumentException.With.Message.Contains("2 more tokens"));
        Assert.That(() => executor.Prefill(new int[1000], state, new float[20]), Throws.ArgumentException);
        AssertSame(before, state);
        executor.Prefill([1], state, new float[20]);
        Assert.That(() => executor.Prefill([1], state, new float[20]), Throws.ArgumentException);
        Assert.That(state.Position, Is.EqualTo(long.MaxValue));
        state.Restore(new MemoryStream(Saved(state, new(5))), new(5));
    }

    [Test]
    public void Models_have_fingerprints_of_their_own()
    {
        MambaLanguageModel model = MambaLanguageModel.Create(Config, 1);
        ModelFingerprint[] prints =
        [
            ModelFingerprint.Of(model),
            ModelFingerprint.Of(MambaLanguageModel.Create(Config, 2)),
            ModelFingerprint.Of(MambaLanguageModel.Create(Config with { NormEpsilon = 1e-6f }, 1)),
            ModelFingerprint.Of(MambaLanguageModel.Create(Config with { MixerNormEpsilon = 1e-6f }, 1)),
            ModelFingerprint.Of(MambaLanguageModel.Create(Config with { NLayer = 1 }, 1)),
        ];
        Assert.That(prints, Is.Unique);
        Assert.That(ModelFingerprint.Of(MambaLanguageModel.Create(Config, 1)), Is.EqualTo(prints[0]));
        Assert.That(prints[0].ToString(), Has.Length.EqualTo(16));
    }

    [Test]
    public void What_is_wrong_is_said_and_the_state_stays()
    {
        MambaLanguageModel model = MambaLanguageModel.Create(Config, 1);
        using CpuExecutor executor = new(model, 1);
        byte[] good = Saved(Used(executor), new(5));
        Refused(good, new(6), executor.CreateState(), "model 0000000000000006, found one of the model 0000000000000005");
        Refused(good[..^1], new(5), executor.CreateState(), "truncated");
        Refused([], new(5), executor.CreateState(), "truncated");
        Refused([.. "NOTMAMBA"u8, .. good[8..]], new(5), executor.CreateState(), "other data");
        Refused([.. good[..8], 4, .. good[9..]], new(5), executor.CreateState(), "version 1 to 3, found version 4");
        Refused([.. good[..^100], (byte)(good[^100] ^ 1), .. good[^99..]], new(5), executor.CreateState(), "checksum");
        Refused(good, new(5), new CpuState(Config with { DState = 4 }), "other sizes");
    }

    [Test]
    public void Every_mutation_is_refused_and_leaves_the_state_as_it_was([Values(ElementType.Float32, ElementType.Float16)] ElementType type)
    {
        using CpuExecutor executor = new(MambaLanguageModel.Create(Config, 1), 1);
        CpuState state = Used(executor), before = executor.CreateState();
        using MemoryStream stream = new();
        state.Save(stream, new(5), "session"u8, type);
        byte[] good = stream.ToArray();
        state.Restore(new MemoryStream(good), new(5));
        before.CopyFrom(state);
        Random random = new(12);
        for (int round = 0; round < 10_000; round++)
        {
            byte[] bytes = Mutations.Of(good, random);
            bool same = bytes.AsSpan().StartsWith(good);
            try
            {
                state.Restore(new MemoryStream(bytes), new(5));
                Assert.That(same, "a damaged state was taken");
            }
            catch (InvalidDataException)
            {
                Assert.That(same, Is.False);
            }
        }

        AssertSame(before, state);
    }

    private static CpuState Used(CpuExecutor executor)
    {
        CpuState state = executor.CreateState();
        executor.Prefill([1, 2, 3, 4, 5], state, new float[Config.VocabSize]);
        return state;
    }

    private static float[] Floats(byte[] file, int offset, int count) => MemoryMarshal.Cast<byte, float>(file.AsSpan(offset, count * sizeof(float))).ToArray();

    private static byte[] Saved(CpuState state, ModelFingerprint fingerprint)
    {
        using MemoryStream stream = new();
        state.Save(stream, fingerprint);
        return stream.ToArray();
    }

    private static void Refused(byte[] bytes, ModelFingerprint fingerprint, CpuState state, string expected)
    {
        Assert.That(
            () => state.Restore(new MemoryStream(bytes), fingerprint),
            Throws.TypeOf<InvalidDataException>().With.Message.Contains(expected));
        Assert.That(state.Position, Is.Zero);
    }

    private static void AssertSame(CpuState expected, CpuState found)
    {
        Assert.That(found.Position, Is.EqualTo(expected.Position));
        for (int layer = 0; layer < expected.Layers.Length; layer++)
        {
            Assert.That(found.Layers[layer].ConvState.SequenceEqual(expected.Layers[layer].ConvState));
            Assert.That(found.Layers[layer].SsmState.SequenceEqual(expected.Layers[layer].SsmState));
        }
    }
}
