using System.Buffers.Binary;
using Mamba.Managed.Execution;
using Mamba.Managed.Layers;
using Mamba.Managed.Models;
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
    public void A_file_holds_states_as_rows_whatever_their_order_in_memory()
    {
        using CpuExecutor executor = new(MambaLanguageModel.Create(Config, 1), 1);
        CpuState state = Used(executor);
        MixerState layer = state.Layers[0];
        byte[] file = Saved(state, new(5));
        int scan = 44 + (layer.ConvLength * layer.Channels * sizeof(float));
        float[] panels = layer.SsmState.ToArray(), byChannel = ScanHarness.FromPanels(panels, layer.Channels, layer.States);
        for (int n = 0; n < layer.States; n++)
        {
            for (int c = 0; c < layer.Channels; c++)
            {
                float found = BinaryPrimitives.ReadSingleLittleEndian(file.AsSpan(scan + (((n * layer.Channels) + c) * sizeof(float))));
                Assert.That(found, Is.EqualTo(byChannel[(c * layer.States) + n]), $"state {n} of channel {c}");
            }
        }

        Assert.That(panels, Is.Not.EqualTo(layer.SsmRows()), "20 channels are two panels");
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
        Refused([.. good[..8], 2, .. good[9..]], new(5), executor.CreateState(), "version 1, found version 2");
        Refused([.. good[..100], (byte)(good[100] ^ 1), .. good[101..]], new(5), executor.CreateState(), "checksum");
        Refused(good, new(5), new CpuState(Config with { DState = 4 }), "other sizes");
    }

    [Test]
    public void Every_mutation_is_refused_and_leaves_the_state_as_it_was()
    {
        using CpuExecutor executor = new(MambaLanguageModel.Create(Config, 1), 1);
        CpuState state = Used(executor), before = executor.CreateState();
        before.CopyFrom(state);
        byte[] good = Saved(state, new(5));
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
