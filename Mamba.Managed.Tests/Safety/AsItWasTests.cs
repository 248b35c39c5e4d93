using Mamba.Managed.Execution;
using Mamba.Managed.Generation;
using Mamba.Managed.Kernels;
using Mamba.Managed.Layers;
using Mamba.Managed.Models;
using Mamba.Managed.Tensors;
using Mamba.Managed.Tests.Generation;
using Mamba.Managed.Tests.Training;
using Mamba.Managed.Training;

namespace Mamba.Managed.Tests.Safety;

/// <summary>Calls that throw on their way leave states, sessions and weights as they were.</summary>
public class AsItWasTests
{
    private static readonly MambaConfig Config = new() { DModel = 16, NLayer = 3, VocabSize = 256 };

    [Test]
    public void A_model_that_fails_in_a_later_layer_leaves_the_state()
    {
        MambaLanguageModel model = MambaLanguageModel.Create(Config, 1);
        using CpuState state = new(Config);
        model.Forward([1, 2, 3], state, new float[3 * 256]);
        float[] before = Values(state);
        model.Layers[1].DisposeParameters();
        Assert.That(() => model.Forward([4, 5], state, new float[2 * 256]), Throws.TypeOf<ObjectDisposedException>());
        Assert.That(() => model.Layers.Forward(Rows.Of(new float[16], 16), state.Layers, Rows.Of(new float[16], 16)), Throws.TypeOf<ObjectDisposedException>());
        Assert.That((state.Position, Values(state)), Is.EqualTo((3L, before)));
    }

    [Test]
    public void A_mixer_that_fails_after_its_convolution_leaves_the_state()
    {
        SelectiveStateSpaceModel mixer = MambaLanguageModel.Create(Config, 1).Layers[0].Mixer;
        using MixerState state = mixer.CreateState();
        mixer.D.Buffer.Dispose();
        Assert.That(() => mixer.Forward(Rows.Of([.. Enumerable.Repeat(1f, 32)], 16), state, Rows.Of(new float[32], 16)), Throws.TypeOf<ObjectDisposedException>());
        Assert.That(state.ConvState.ToArray(), Is.All.Zero);
    }

    [Test]
    public void A_session_that_cannot_be_restored_leaves_the_state()
    {
        using CpuExecutor executor = new(MambaLanguageModel.Create(Config, 1), 1);
        using GenerationSession session = new(executor.CreateState(), seed: 1);
        session.Append([1, 2, 3]);
        executor.Prefill(session.Waiting, session.State, new float[256]);
        using MemoryStream whole = new(), alone = new();
        session.Save(whole, executor.Fingerprint);
        session.State.Save(alone, executor.Fingerprint);
        using CpuState state = executor.CreateState();
        executor.Prefill([7, 8], state, new float[256]);
        float[] before = Values(state);
        foreach (byte[] bytes in new[] { alone.ToArray(), whole.ToArray()[..^1], [.. whole.ToArray()[..^1], 0x5A] })
        {
            Assert.That(() => GenerationSession.Restore(new MemoryStream(bytes), executor.Fingerprint, state), Throws.InstanceOf<InvalidDataException>());
            Assert.That((state.Position, Values(state)), Is.EqualTo((2L, before)));
        }
    }

    [Test]
    public void An_executor_that_takes_no_tokens_is_refused()
    {
        using CpuExecutor executor = new(MambaLanguageModel.Create(Config, 1), 1);
        ScriptedExecutor idle = new(executor, []) { PromptChunk = 0 };
        using SequenceState state = idle.CreateState();
        Assert.That(() => idle.Prefill(new int[40], state, new float[256]), Throws.InvalidOperationException.With.Message.Contains("found 0"));
    }

    [Test]
    public void Weights_beyond_the_fast_conversion_leave_no_memory_behind()
    {
        Tensor half = Tensor.FromFloats([.. Enumerable.Repeat(1000f, 32 * 16)], 32, 16);
        ArrangedMatrix arranged = new(half.ConvertTo(ElementType.Float16));
        float[] row = new float[16];
        arranged.Packed.CopyRow(3, row);
        Assert.That(row, Is.All.EqualTo(1000f));
        arranged.Dispose();
        Assert.That(() => arranged.Packed.CopyRow(3, row), Throws.TypeOf<ObjectDisposedException>());
    }

    [Test]
    public void A_step_whose_average_is_gone_does_not_move_the_weights()
    {
        using Trainer trainer = TrainingChild.Create(null, false);
        float[] before = trainer.Model.Embeddings.Weight.ToArray();
        trainer.Result.DisposeParameters();
        Assert.That(() => trainer.Advance(), Throws.TypeOf<ObjectDisposedException>());
        Assert.That((trainer.Step, trainer.Model.Embeddings.Weight.ToArray()), Is.EqualTo((0L, before)));
    }

    [Test]
    public void A_run_resumes_as_a_whole_or_not_at_all()
    {
        string folder = Path.Combine(Path.GetTempPath(), "mamba-run-" + Path.GetRandomFileName());
        try
        {
            using (Trainer first = TrainingChild.Create(folder, true))
            {
                first.Advance();
                first.Save();
            }

            using Trainer trainer = TrainingChild.Create(folder, true);
            float[] before = trainer.Model.Embeddings.Weight.ToArray();
            trainer.Model.NormF.DisposeParameters();
            Assert.That(() => trainer.Resume(), Throws.TypeOf<ObjectDisposedException>());
            Assert.That((trainer.Step, trainer.Model.Embeddings.Weight.ToArray()), Is.EqualTo((0L, before)));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static float[] Values(SequenceState state)
    {
        float[] values = new float[state.Layout.Length(state.Position)];
        state.Export(values);
        return values;
    }
}
