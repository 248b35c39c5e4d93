using Mamba.Managed.Kernels;
using Mamba.Managed.Kernels.Simd;

namespace Mamba.Managed.Tests.Kernels;

/// <summary>Runs the vector forms of the scan, forward with checkpoints and backward, on arguments in double precision.</summary>
internal static unsafe class ScanHarness
{
    public static SelectiveScanArguments<double> Backward(SelectiveScanArguments<double> inputs, double[] outputGradient, double[] lastStateGradient)
    {
        int channels = inputs.Channels, states = inputs.States, length = inputs.U.Length / channels;
        int blocks = SelectiveScanBackward.Blocks(channels), chunks = (length + SelectiveScanBackward.ChunkLength - 1) / SelectiveScanBackward.ChunkLength;
        float[] u = Single(inputs.U), dt = Single(inputs.Dt), b = Single(inputs.B), c = Single(inputs.C), d = Single(inputs.D), z = Single(inputs.Z);
        float[] bias = Single(inputs.Bias), initial = ToPanels(Single(inputs.State), channels, states), dy = Single(outputGradient);
        float[] decay = ToPanels([.. inputs.A.Select(a => (float)(a * Elementary.Log2E))], channels, states);
        float[] checkpoints = new float[chunks * states * channels], y = new float[u.Length], again = new float[u.Length], du = new float[u.Length];
        float[] ddt = new float[u.Length], dz = new float[z.Length], selection = new float[blocks * length * 2 * states];
        float[] dstate = ToPanels(Single(lastStateGradient), channels, states), da = new float[decay.Length], dd = new float[channels];
        float[] dbias = new float[channels], lanes = new float[SelectiveScanBackward.LanesLength(states)], state = [.. initial];
        fixed (float* pu = u, pdt = dt, pb = b, pc = c, pd = d, pz = z, pbias = bias, pinitial = initial, pdy = dy, pdecay = decay)
        fixed (float* pcheck = checkpoints, py = y, pagain = again, pdu = du, pddt = ddt, pdz = dz, psel = selection, pdstate = dstate, pda = da)
        fixed (float* pdd = dd, pdbias = dbias, planes = lanes, pstate = state)
        {
            for (int t = 0; t < length; t += SelectiveScanBackward.ChunkLength)
            {
                if (t > 0)
                {
                    state.CopyTo(checkpoints, ((t / SelectiveScanBackward.ChunkLength) - 1) * state.Length);
                }

                SelectiveScan scan = new()
                {
                    U = pu + (t * channels), Dt = pdt + (t * channels), DtPitch = channels, Bias = pbias, Softplus = inputs.Softplus, Decay = pdecay,
                    B = pb + (t * states), C = pc + (t * states), Pitch = states, D = pd, Z = pz is null ? null : pz + (t * channels),
                    ZPitch = channels, State = pstate, Y = py + (t * channels),
                    Length = Math.Min(SelectiveScanBackward.ChunkLength, length - t), Channels = channels, States = states,
                };
                scan.Forward(0, channels);
            }

            SelectiveScanBackward backward = new()
            {
                U = pu, Dt = pdt, Bias = pbias, Softplus = inputs.Softplus, Decay = pdecay, B = pb, C = pc, Pitch = states, D = pd, Z = pz,
                ZPitch = channels, InitialState = pinitial, Checkpoints = pcheck, OutputGradient = pdy, Y = pagain, UGradient = pdu,
                DtGradient = pddt, ZGradient = pdz, BCGradient = psel, BlockPitch = length * 2 * states, StateGradient = pdstate,
                AGradient = pda, DGradient = pdd, BiasGradient = pdbias, Length = length, Channels = channels, States = states,
            };
            backward.Run(0, blocks, planes);
        }

        Assert.That(again, Is.EqualTo(y), "the output computed again");
        double[] db = new double[b.Length], dc = new double[c.Length];
        for (int block = 0; block < blocks; block++)
        {
            for (int i = 0; i < db.Length; i++)
            {
                int at = (((block * length) + (i / states)) * 2 * states) + (i % states);
                db[i] += selection[at];
                dc[i] += selection[at + states];
            }
        }

        return inputs with
        {
            U = Double(du),
            Dt = Double(ddt),
            A = Double(FromPanels(da, channels, states)),
            B = db,
            C = dc,
            D = inputs.D.Length > 0 ? Double(dd) : [],
            Z = Double(dz),
            Bias = inputs.Bias.Length > 0 ? Double(dbias) : [],
            State = Double(FromPanels(dstate, channels, states)),
        };
    }

    /// <summary>[channels, states] in the order in which kernels read it.</summary>
    public static float[] ToPanels(float[] values, int channels, int states)
    {
        float[] panels = new float[values.Length];
        foreach ((int place, float value) in Places(channels, states).Zip(values))
        {
            panels[place] = value;
        }

        return panels;
    }

    /// <summary>Back to [channels, states].</summary>
    public static float[] FromPanels(float[] panels, int channels, int states) => Array.ConvertAll(Places(channels, states), place => panels[place]);

    private static float[] Single(double[] values) => Array.ConvertAll(values, value => (float)value);

    private static double[] Double(float[] values) => Array.ConvertAll(values, value => (double)value);

    private static int[] Places(int channels, int states) =>
    [
        .. from channel in Enumerable.Range(0, channels)
           from state in Enumerable.Range(0, states)
           let first = channel - (channel % 16)
           select (first * states) + (state * Math.Min(16, channels - first)) + (channel % 16),
    ];
}
